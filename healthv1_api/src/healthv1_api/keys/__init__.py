"""MASTER_KEY wraps data keys; data keys encrypt what is known of patients. Neither is ever in a log or an answer."""

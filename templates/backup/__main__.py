"""`python3 /usr/local/lib/healthv1/backup COMMAND`: what a database host does about its backups by itself."""

import sys

from healthv1_backup.command import main

sys.exit(main(sys.argv[1:]))

"""Work waits in order, goes to one worker at a time, and is counted."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def patient(clinic):
    return clinic.clinician.new_patient().document["id"]


def put(clinic, queue, patient, details="x"):
    made = clinic.clinician.ask("POST", f"/v1/queues/{queue}", {"patient_id": patient, "details": details})
    assert made.status == 201, made.text
    return made.document["id"]


def claimed(clinic, queue):
    answer = clinic.clinician.ask("POST", f"/v1/queues/{queue}/claim")
    return answer.document if answer.status == 200 else None


@pytest.mark.parametrize("queue", ["lab_orders", "imaging_orders", "worklist"])
def test_the_oldest_work_is_claimed_first_and_completed_once(clinic, patient, queue):
    while claimed(clinic, queue):
        pass  # other tests left it
    first, second = put(clinic, queue, patient, "first"), put(clinic, queue, patient)
    work = claimed(clinic, queue)
    assert (work["id"], work["details"], work["patient_id"]) == (first, "first", patient)
    other = clinic.new("clinician")
    assert other.ask("POST", f"/v1/queues/{queue}/{first}/complete").status == 409
    for expected in (204, 409):
        assert clinic.clinician.ask("POST", f"/v1/queues/{queue}/{first}/complete").status == expected
    assert claimed(clinic, queue)["id"] == second
    assert claimed(clinic, queue) is None


def test_many_workers_at_once_get_different_work(clinic, patient):
    made = {put(clinic, "worklist", patient) for _ in range(8)}
    with ThreadPoolExecutor(8) as workers:
        got = [work["id"] for work in workers.map(lambda _: claimed(clinic, "worklist"), range(10)) if work]
    assert len(got) == len(set(got))
    assert made <= set(got) | {work["id"] for work in iter(lambda: claimed(clinic, "worklist"), None)}


def test_a_claim_lapses_when_its_worker_has_gone(clinic, patient):
    order = put(clinic, "lab_orders", patient)
    while claimed(clinic, "lab_orders"):
        pass
    clinic.database.sql(f"UPDATE health.lab_orders SET claimed_until = now() - interval '1s' WHERE id = '{order}'")
    assert claimed(clinic, "lab_orders")["id"] == order


def test_what_is_to_be_done_is_sealed(clinic, patient):
    put(clinic, "imaging_orders", patient, "MRI of the knee")
    stored = clinic.database.sql("SELECT string_agg(o::text, '') FROM health.imaging_orders o")
    assert b"MRI of the knee".hex() not in stored


def test_depths_and_the_age_of_the_key_are_metrics(migrated, run, serving):
    run("seed")
    service = serving()
    service.becomes(200)
    deadline = time.monotonic() + 5
    wanted = (
        'healthv1_queue_depth{queue="worklist",state="waiting"} 0.0',
        "healthv1_data_key_age_seconds",
        "healthv1_redis_up 1.0",
    )
    while time.monotonic() < deadline:
        text = service.request("/metrics", port=service.metrics_port).text
        if all(sample in text for sample in wanted):
            return
        time.sleep(0.1)
    raise AssertionError(text)

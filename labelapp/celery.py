"""The Celery application: carries job ids, never content."""

import os
from contextlib import suppress
from pathlib import Path

from celery import Celery
from celery.signals import worker_process_init

NICENESS = 10

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")

app = Celery("labelapp")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["core"])


@worker_process_init.connect
def give_way(**_signal: object) -> None:
    """Background work takes what people at the same machine leave: nobody waits for a selection.

    Where Linux shares the processor among sessions first, a worker with a session of its own lowers that, too.
    """
    with suppress(OSError):
        os.nice(NICENESS)
        if os.getsid(0) == os.getppid():
            Path("/proc/self/autogroup").write_text(str(NICENESS))

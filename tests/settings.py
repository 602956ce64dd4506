"""labelapp's settings for tests: the same, with a data folder of their own that goes when they end."""

import atexit
import os
import shutil
import tempfile

if "LABELAPP_TEST_DATA" not in os.environ:  # xdist's processes use the folder of the one that started them
    os.environ["LABELAPP_TEST_DATA"] = tempfile.mkdtemp(prefix="labelapp-tests-")
    atexit.register(shutil.rmtree, os.environ["LABELAPP_TEST_DATA"], ignore_errors=True)
os.environ["LABELAPP_DATA"] = os.environ["LABELAPP_TEST_DATA"]

from labelapp.settings import *  # noqa: F403 -- the data folder must be known first
from labelapp.settings import DATA_DIR, DATABASES

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # a file: as in use, with WAL and with threads
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",  # quick; tests of timing put the real one back
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
WHITENOISE_AUTOREFRESH = True  # files are looked for when they are asked for, not with every new client
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True

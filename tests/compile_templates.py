"""Parse every template of the project, so that a broken tag is found before a page is opened.

python -m tests.compile_templates
"""

import os
import sys

import django
from django.conf import settings
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template


def main() -> int:
    """Print each template that does not parse; 1 when there is one."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelapp.settings")
    django.setup()
    problems = 0
    for folder in settings.TEMPLATES[0]["DIRS"]:
        for path in sorted(folder.rglob("*.*")):
            name = str(path.relative_to(folder))
            try:
                get_template(name)
            except (TemplateSyntaxError, TemplateDoesNotExist) as error:
                problems += 1
                print(f"{name}: {error}")
    return min(problems, 1)


if __name__ == "__main__":
    sys.exit(main())

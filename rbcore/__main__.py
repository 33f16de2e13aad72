"""``python -m rbcore``: the commands behind the Makefile."""

import sys

from rbcore.book.cli import main

sys.exit(main())

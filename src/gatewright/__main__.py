"""``python -m gatewright``: the same as the command ``gatewright``."""

import sys

from gatewright.cli import main

sys.exit(main())

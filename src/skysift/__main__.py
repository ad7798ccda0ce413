"""``python -m skysift``: the command line."""

import sys

from skysift.cli.main import main

sys.exit(main())

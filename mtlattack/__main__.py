"""`python -m mtlattack`: the command line, as torchrun starts it."""

import sys

from mtlattack.cli.main import main

if __name__ == "__main__":
    sys.argv[0] = "mtlattack"
    main()

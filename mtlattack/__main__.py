"""`python -m mtlattack`: the command line, as torchrun starts it."""

from mtlattack.cli.main import main

if __name__ == "__main__":
    main()

"""`mtlattack`: one way to report a user's mistake, an interrupt, and what is not installed.

What stands above `main` is imported before an interrupt can be told in one line: nothing that takes time.
"""

import errno
import os
import re
import sys

from mtlattack.errors import InputError, one_line
from mtlattack.interrupts import INTERRUPTED, Interrupts, end, say_stopped
from mtlattack.missing import is_a_library, what_to_install

MISTAKE, UNREAD = 2, 141
"""Exit codes beside 0 and INTERRUPTED: a user's mistake, and a reader that went away, as `head` does."""
_OF_THE_SYSTEM = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR,
}  # fmt: skip
"""What no program can help: a full disk, a folder where nothing may be written, a name that no file can have."""


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit code 2, Ctrl-C one and 130."""
    interrupts = Interrupts()
    with interrupts.answered():
        try:
            code = _run()
            sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:
            if interrupts.happened:  # whatever a library has made of it
                end()
            code = _code_of(error)
        if interrupts.happened:
            end()
    if code == INTERRUPTED:
        say_stopped()
    sys.exit(code)


def _code_of(error: BaseException) -> int:
    """The exit code of what is no mistake of ours, which is said; anything else is raised again."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # What is left in the buffer has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    if isinstance(error, ModuleNotFoundError) and is_a_library(error):
        print(f"error: {what_to_install(error)}", file=sys.stderr)
        return MISTAKE
    said = _said_by_the_system(error)
    if said:
        print(f"error: {said}; what is finished is kept, the same command goes on from there", file=sys.stderr)
        return MISTAKE
    raise error


def _said_by_the_system(error: BaseException) -> str:
    """A full disk, a folder that is closed, no memory, in one line; nothing for any other error."""
    text = one_line(error)
    if isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM:
        return text
    if isinstance(error, MemoryError):
        return f"out of memory ({text or 'no more is given'}); a smaller --batch-size takes less"
    if isinstance(error, RuntimeError) and "torch" in sys.modules:
        from mtlattack.devices import is_out_of_memory

        if is_out_of_memory(error):
            return f"out of memory ({text[:300]}); a smaller --batch-size takes less"
    return ""


def _run() -> int:
    """The exit code of the command that the arguments name."""
    import typer

    from mtlattack.cli.application import app
    from mtlattack.printing import complain, print_plainly_where_needed, warnings_as_lines

    # Click's class, which typer brings in a place that depends on its version.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    print_plainly_where_needed()
    try:
        _refuse_empty(sys.argv[1:])
        # Not standalone: typer would print a box for a wrong option, and swallow an interrupt.
        with warnings_as_lines():
            return app(prog_name="mtlattack", standalone_mode=False) or 0
    except InputError as error:
        message = str(error)
    except usage_error as error:
        # Some versions of typer let pydantic speak first.
        message = error.format_message().replace("Value error, ", "")  # type: ignore[attr-defined]
    except typer.Abort:
        return INTERRUPTED
    if message:  # Without one the help was printed instead.
        complain("error:", message)
    return MISTAKE


def _refuse_empty(arguments: list[str]) -> None:
    """InputError for an empty one: an empty path would be the current folder, where nobody meant to write."""
    for before, argument in zip(["mtlattack", *arguments], arguments, strict=False):
        if not argument or re.fullmatch("--[a-z-]+=", argument):
            place = argument.rstrip("=") if argument else before
            raise InputError(f"what follows {place} is empty: is a variable not set?")

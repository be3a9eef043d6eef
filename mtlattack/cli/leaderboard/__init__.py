"""`mtlattack leaderboard`: one file a command."""

import typer

from mtlattack.cli.leaderboard import build, check, diff, export, schema, show, status, submit, verify

app = typer.Typer(no_args_is_help=True, help="Rows that anyone can check: submit, check, verify, show, build.")
app.command("submit")(submit.submit_run)
app.command("status")(status.set_status)
app.command("schema")(schema.print_schema)
app.command("show")(show.show)
app.command("build")(build.build)
app.command("check")(check.check)
app.command("verify")(verify.verify)
app.command("diff")(diff.diff)
app.command("export")(export.export)

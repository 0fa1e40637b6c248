"""`uet completion bash|zsh|fish`."""

from __future__ import annotations

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell; load it with: eval "$(uet completion bash)"."""
    from click.shell_completion import get_completion_class

    make = get_completion_class(shell)
    if make is None:
        raise AssertionError("click knows every shell of the choice")
    root = ctx.find_root()
    click.echo(make(root.command, {}, "uet", "_UET_COMPLETE").source())

"""Text made safe where it leaves the program: for a terminal, a log, a page, a file or a flow's comment.

What is shown comes from clients, servers, captures and files, and cannot be trusted. An escape sequence can clear the
screen, a newline can forge a line of the log, and a character that turns the direction of text can make one value look
like another. `text.printable` is the one function that escapes them, and it is called at each exit, so that no caller
has to remember it:

| exit | where |
|---|---|
| commands of `mirror-addon` | `cli.console.echo`, `display.console.SafeConsole`, and `cli.main` for errors |
| the log | `display.log`, a handler in front of mitmproxy's |
| results of `mirror.*` | `commands.commands` |
| flows: comments, errors, metadata | `shadow_flows` |
| Mirror Diff | `diff_view.text.clean` |
| the live page, the report | `display.pages`, which Jinja calls for every expression |
| JSON, JUnit, tests, the record | their writers: JSON in ASCII, XML without what XML forbids, Python literals |
"""

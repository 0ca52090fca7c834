"""A live view of one battery in a terminal: what arrives, what is decided, and why.

It is a client of the bridge like any other and knows it by its topics alone, so it can run on
another machine. `view` collects, `render` and `journal` turn that into text (both pure), `screen`
is the terminal, and `loop` connects all of it to the broker.
"""

from bridge.tools.watch.loop import main, watch

__all__ = ["main", "watch"]

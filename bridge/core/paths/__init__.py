"""D-Bus paths: the table, and the gate that each value passes."""

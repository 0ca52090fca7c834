"""What the bridge costs, measured against a bare echo on the same pocket GX in the same run.

The echo uses the same libraries and checks nothing: what both pay cancels in the ratio, and so
does the speed of the machine. Trust ratios, and repeat.
"""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_GX = _ROOT / "docker" / "gx"
_TESTS = _ROOT / "tests"
sys.path[:0] = [str(path) for path in (_ROOT, _TESTS / "unit", _GX, _GX / "velib")]

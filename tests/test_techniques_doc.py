# SPDX-License-Identifier: Apache-2.0
"""doc/techniques.md says what the code's tables say. Renew it with `python tests/test_techniques_doc.py --renew`."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = pathlib.Path(os.environ.get("ADIABAT_TOOL", ROOT / "build" / "release" / "adiabat"))
DOCUMENT = ROOT / "doc" / "techniques.md"


def document():
    done = subprocess.run([TOOL, "solve", "--describe", "markdown"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_document_is_up_to_date():
    assert DOCUMENT.read_text() == document(), "run python tests/test_techniques_doc.py --renew"


if __name__ == "__main__":
    if sys.argv[1:] != ["--renew"]:
        sys.exit(__doc__)
    DOCUMENT.write_text(document())

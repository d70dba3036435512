"""Pictures of new predictions."""

from __future__ import annotations

from io import BytesIO

import pytest

from gatewright.report import panels


def test_a_name_that_no_font_can_write_is_no_warning() -> None:
    pytest.importorskip("matplotlib")
    figure, (axes,) = panels.stacked(1, 4.0, 2.0)
    axes.set_title("sales of \U0001f355")
    content = BytesIO()
    panels.save(figure, content, format="png", dpi=50)
    assert content.getvalue().startswith(b"\x89PNG")

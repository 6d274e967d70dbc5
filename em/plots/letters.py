"""Chinese, Japanese and Korean letters in figures, drawn with a font of the system if it has one."""

import re
from typing import Any

from em.status import FigureWarning, tell

EASTERN = re.compile("[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]")
FAMILIES = (
    *("Noto Sans CJK", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR", "Source Han Sans", "Hiragino", "PingFang"),
    *("Apple SD Gothic", "Arial Unicode", "Yu Gothic", "Meiryo", "MS Gothic", "Microsoft YaHei", "SimHei"),
    *("Malgun Gothic", "NanumGothic", "WenQuanYi", "IPAexGothic", "IPAGothic", "Droid Sans Fallback", "Unifont"),
)


def lend_letters(figure: Any) -> None:
    """Let texts fall back to a font with these letters; give a FigureWarning if the system has none.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The finished figure; labels of ticks are texts too.
    """
    from matplotlib.text import Text

    axes = [axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)]
    ticks = [axis for axis in axes if _is_eastern(*getattr(axis.get_major_formatter(), "seq", ()))]
    texts = [text for text in figure.findobj(Text) if _is_eastern(text.get_text())]
    if not texts and not ticks:
        return
    families = _installed()
    for text in texts:
        text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *families])))
    for axis in ticks:
        axis.set_tick_params(labelfontfamily=["sans-serif", *families])
    if not families:
        lacking = "no font of this system has Chinese, Japanese or Korean letters, which figures show as boxes"
        tell(f"{lacking}: install one, such as Noto Sans CJK", FigureWarning)


def _is_eastern(*texts: str) -> bool:
    return any(EASTERN.search(text) for text in texts)


def _installed() -> list[str]:
    """Return the names of the installed font families with these letters."""
    from matplotlib.font_manager import fontManager

    return sorted({font.name for font in fontManager.ttflist if font.name.startswith(FAMILIES)})

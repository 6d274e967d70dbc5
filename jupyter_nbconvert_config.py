"""How ``jupyter nbconvert --to slides``, given in this folder, makes a deck: see ``docs/howto/slides.md``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "docs" / "_extensions"))

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.SlidesExporter.extra_template_basedirs = [str(HERE / "docs" / "_templates")]
c.SlidesExporter.template_name = "slides"
c.SlidesExporter.preprocessors = ["deck.Deck"]
c.SlidesExporter.exclude_input_prompt = c.SlidesExporter.exclude_output_prompt = True

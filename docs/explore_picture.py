"""Takes the picture of the page of an explored sample, with chromium.

skysift features FIRST.npz --out features --set scale=1.8 --set beam=5.4
skysift embed first-simclr FIRST.npz --out embedding.parquet
skysift explore features/features.parquet embedding.parquet --pictures FIRST.npz --out explored
python docs/explore_picture.py explored docs/_static/explore.png
"""

import subprocess
import sys
import tempfile
from pathlib import Path

WIDE, HIGH = 1280, 1010
SCRIPT = """
<script>
skysift.colour('label');
skysift.tab('strange');
const over = document.getElementById('over'), box = over.getBoundingClientRect(), tip = document.getElementById('tip');
for (let k = 0; k < 400 && tip.hidden; k++) {
  const place = {clientX: box.left + 0.1 * box.width + 2 * k, clientY: box.top + 0.17 * box.height, bubbles: true};
  over.dispatchEvent(new PointerEvent('pointermove', {...place, pointerId: 1}));
}
</script>
"""  # the pointer comes from the left, and stops at the first source


def main():
    """Draw it."""
    folder, picture = map(Path, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "report.html"
        text = (folder / "report.html").read_text(encoding="utf-8")
        page.write_text(text.replace("</body>", f"{SCRIPT}</body>"), encoding="utf-8")
        subprocess.run(
            [
                "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                f"--user-data-dir={name}", f"--window-size={WIDE},{HIGH}", "--virtual-time-budget=4000",
                f"--screenshot={picture.resolve()}", page.as_uri(),
            ],
            check=True,
        )  # fmt: skip


if __name__ == "__main__":
    main()

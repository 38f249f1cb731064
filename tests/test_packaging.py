"""The built package is complete and works in empty environments, with the newest and lowest promised versions.

Each environment is made once and without pip; the pip of the tests fills it. Needs a package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import textwrap
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from ci_notebook.media.samples import sample

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BUCKET, REGION = "thin-1250000000", "ap-chongqing"
KEYS = {"TENCENTCLOUD_SECRET_ID": "AKIDpackaging", "TENCENTCLOUD_SECRET_KEY": "packagingskey"}
# What an installation must not load on `import ci_notebook`, and what it has no business to hold.
HEAVY = ("pandas", "matplotlib", "ipywidgets", "anywidget", "av", "httpx", "lxml", "numpy", "scipy", "PIL")
CLIP = sample("portrait")
LOCAL = {"imageio-ffmpeg", "av", "onnxruntime", "waitress", "jupyterlab", "optuna", "distributed"}

pytestmark = [
    pytest.mark.xdist_group("packaging"),  # one worker makes the environments, for all
    pytest.mark.network,
    pytest.mark.slow,
]


def lowest(*extras: str) -> dict[str, str]:
    """Return name → lowest promised version, of what is needed always and by some extras."""
    wanted, found = list(PROJECT["dependencies"]), {}
    for extra in extras:
        wanted += PROJECT["optional-dependencies"][extra]
    for text in wanted:
        asked = Requirement(text)
        if asked.name != PROJECT["name"]:
            (bound,) = asked.specifier
            assert bound.operator == ">=", f"{text} promises no lowest version"
            found[asked.name] = bound.version
    return found


@dataclass(frozen=True)
class Place:
    """A separate virtual environment, and a folder to run in."""

    folder: Path

    @property
    def python(self) -> Path:
        below = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        return self.folder.joinpath(*below)

    @classmethod
    def made(cls, folder: Path) -> Place:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        return cls(folder)

    def install(self, *what: str | Path) -> None:
        done = pip("--python", self.python, "install", "--quiet", "--no-compile", *what)
        assert done.returncode == 0, done.stderr

    def versions(self) -> dict[str, str]:
        code = "import importlib.metadata as m; print(*(f'{d.name.lower()}={d.version}' for d in m.distributions()))"
        return dict(one.split("=", 1) for one in self.run(code).split())

    def run(self, code: str, *args: str | Path, strict: bool = False, **environ: str) -> str:
        """Run Python there, with nothing of this environment in sight, and return what it printed."""
        own = {"HOME": str(self.folder), "PATH": os.defpath, "CI_NOTEBOOK_PROGRESS": "0", "MPLBACKEND": "agg"}
        windows = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
        flags = ["-I", *(["-W", "error"] if strict else [])]
        done = subprocess.run(
            [self.python, *flags, "-c", textwrap.dedent(code), *args],
            env={**windows, **own, **environ}, cwd=self.folder, capture_output=True, text=True, check=False,
            timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def pip(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pip", *args], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A package index can be reached; nothing else is an excuse."""
    tried = pip("download", "--quiet", "--no-deps", "--dest", tmp_path_factory.mktemp("index"), "platformdirs")
    if tried.returncode:
        pytest.skip(f"no package index can be reached: {tried.stderr.strip().splitlines()[-1]}")


@pytest.fixture(scope="module")
def built(index: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel that is built from it, as an index would get them."""
    folder = tmp_path_factory.mktemp("built")
    builder = Place.made(folder / "builder")
    builder.install("hatchling")

    def build(kind: str, where: Path) -> None:
        subprocess.run([builder.python, "-m", "hatchling", "build", "-t", kind, "-d", folder], cwd=where, check=True)

    build("sdist", ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Python 3.11.4 and later
        archive.extractall(folder / "unpacked", **safe)  # noqa: S202 - our own archive
    (unpacked,) = (folder / "unpacked").iterdir()
    build("wheel", unpacked)
    (wheel,) = folder.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


@pytest.fixture(scope="module")
def newest(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """`pip install ci-notebook`, today."""
    place = Place.made(tmp_path_factory.mktemp("newest"))
    place.install(built["wheel"])
    return place


@pytest.fixture(scope="module")
def oldest(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Place:
    """`pip install ci-notebook`, with the lowest versions that it promises to work with."""
    if sys.version_info >= (3, 12):
        pytest.skip("the lowest versions are tried with the lowest Python, 3.11; later ones have no wheels of some")
    place = Place.made(tmp_path_factory.mktemp("oldest"))
    place.install(built["wheel"], *(f"{name}=={version}" for name, version in lowest().items()))
    return place


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `ci-notebook serve`, run from the tests' own environment."""
    folder = tmp_path_factory.mktemp("served")
    command = [sys.executable, "-m", "ci_notebook", "serve", "--root", folder / "store", "--port", "0"]
    environ = {**os.environ, **KEYS, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "--bucket", BUCKET, "--region", REGION], env=environ, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = next((line for line in server.stdout if "Listening" in line), "")
        found = re.search(r"http://[\w.:\[\]]+", said)
        assert found, "serve did not say where it listens"
        try:
            yield found[0]
        finally:
            server.terminate()


def test_the_wheel_holds_every_file_of_the_package_the_notebooks_and_the_licence(built: dict[str, Path]) -> None:
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ci_notebook").rglob("*") if path.is_file()}
    ours = {name for name in package if "__pycache__" not in name}
    notebooks = {f"ci_notebook/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert ours | notebooks <= names
    endings = {".py", ".js", ".css", ".md", ".onnx", ".mp4", ".cfg", ".j2", ".typed"}
    assert {Path(name).suffix for name in ours} >= endings
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    about = {name.partition("/")[2] for name in names if ".dist-info/" in name}
    assert about >= {"METADATA", "entry_points.txt", "licenses/LICENSE"}


def test_the_sdist_holds_what_it_takes_to_build_and_to_test(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        "pyproject.toml",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
        ".pre-commit-hooks.yaml",
    }
    assert names >= {"tests/conftest.py", "tests/test_packaging.py", "ci_notebook/widgets/enhance/js/panel.js"}
    assert {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= names


def test_the_thin_installation_loads_nothing_heavy_and_knows_every_name(newest: Place) -> None:
    code = f"""
        import sys, ci_notebook as ci
        assert not [name for name in {HEAVY!r} if name in sys.modules]
        for name in ci.__all__:
            getattr(ci, name)
        try:
            ci.connect()
        except ci.EngineError as error:
            print(error)
        report = ci.doctor()
        print(report.ok, [one.name for one in report if one.area in ("Packages", "FFmpeg") and one.state != "OK"])
    """
    said = newest.run(code, strict=True)
    assert "pip install 'ci-notebook[local]'" in said
    assert "True ['extra local', 'program']" in said, "the doctor says that the engine is missing, and that all is well"
    assert not LOCAL & newest.versions().keys(), "the thin installation brings no FFmpeg and no server"


THIN = f"""
    import sys
    from pathlib import Path
    import ci_notebook as ci
    from ci_notebook.cli import main

    lab = ci.connect({BUCKET!r}, region={REGION!r}, endpoint=sys.argv[1], home=Path.cwd() / "home")
    clip = lab.upload(sys.argv[2])
    small = ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=3))
    print(ci.EnhancePanel(lab, clip, small))
    runs = lab.run(clip, ci.grid(small, SharpenLevel=[0, 6]), scores=False, budget=20)
    df = runs.to_frame()
    df.to_csv("runs.csv", index=False)
    assert list(ci.read_frame("runs.csv")["MsSharpen.SharpenLevel"]) == [0, 6]
    ax = ci.plot_response(df, x="SharpenLevel", y="size_bytes")
    ax.figure.savefig("chart.png")
    job = lab.job(df["job_id"].iloc[0])
    where = ["--bucket", lab.bucket, "--region", lab.region, "--endpoint", sys.argv[1], "--home", "home"]
    assert main(["jobs", "--limit", "1", *where]) == 0
    print(list(df["state"]), job.download(Path.cwd()).stat().st_size > 1000, Path("chart.png").stat().st_size > 5000)
"""
SAID = "['Success', 'Success'] True True"


def test_the_thin_installation_talks_to_the_service_and_makes_frames_and_charts(newest: Place, address: str) -> None:
    assert SAID in newest.run(THIN, address, CLIP, strict=True, **KEYS)


def test_the_same_on_the_lowest_versions_promised(oldest: Place, address: str) -> None:
    held = oldest.versions()
    assert {name: Version(held[name]) for name in lowest()} == {n: Version(v) for n, v in lowest().items()}
    assert SAID in oldest.run(THIN, address, CLIP, **KEYS)


def test_the_engine_works_on_the_lowest_versions_promised(oldest: Place, built: dict[str, Path]) -> None:
    wanted = lowest("local")
    oldest.install(f"{built['wheel']}[local]", *(f"{name}=={version}" for name, version in wanted.items()))
    code = """
        import sys
        import ci_notebook as ci

        with ci.connect(home="embedded") as lab:
            clip = lab.upload(sys.argv[1])
            setting = ci.VideoEnhance(color_enhance=ci.ColorEnhance(), ms_sharpen=ci.MsSharpen(sharpen_level=3))
            (run,) = lab.run(clip, [setting])
            print(run.state, 0 < run.scores["vmaf_neg"] <= 100, run.scores["psnr"] > 20)
    """
    assert "Success True True" in oldest.run(code, CLIP)


EXPERIMENT = """
    import sys
    import ci_notebook as ci

    with ci.connect(home="experiment") as lab:
        clip = lab.upload(sys.argv[1])
        panel = ci.EnhancePanel(lab, clip, {"SharpenLevel": 5})
        runs = lab.run(clip, ci.grid(panel.value, SharpenLevel=[0, 5], Resolution=[None, "sdtohd"]), every=5)
        assert [run.state for run in runs] == ["Success"] * 4, [run.error for run in runs]
        for ending in ("csv", "parquet", "xlsx"):
            back = ci.read_runs(runs.save(f"runs.{ending}"))
            assert back.to_frame()["vmaf_neg"].round(3).tolist() == runs.to_frame()["vmaf_neg"].round(3).tolist()
        for chart in (ci.plot_response(runs, x="SharpenLevel", y="sharpness", hue="Resolution"), ci.plot_timeline(runs),
                      ci.plot_pareto(runs), ci.plot_trace(runs), ci.plot_importance(runs, on="sharpness")):
            chart.figure.canvas.draw()
        found = lab.optimize(clip, space={"SharpenLevel": [0, 5]}, on="sharpness", trials=2)
        ci.CompareView(runs), ci.play(clip, runs), lab.preview(clip, {"SharpenLevel": 3})
        sentence = ci.verdict(runs, "SharpenLevel", 0, 5).sentence
        print(runs.report("report.html").stat().st_size > 100_000, bool(sentence), len(found.runs) > 0)
"""


def test_an_experiment_works_on_the_lowest_versions_promised(oldest: Place, built: dict[str, Path]) -> None:
    extras = ("local", "enhance", "fonts", "tables", "optuna")
    wanted = lowest(*extras)
    oldest.install(f"{built['wheel']}[{','.join(extras)}]", *(f"{name}=={v}" for name, v in wanted.items()))
    held = oldest.versions()
    assert {name: Version(held[name.lower()]) for name in wanted} == {n: Version(v) for n, v in wanted.items()}
    assert "True True True" in oldest.run(EXPERIMENT, CLIP)

"""Every command line ends early with one line, without a trace."""

import pytest

from gan_lightning.cli import directions, evaluate, export, generate, invert, results, timelapse

ENDED = [
    (directions, "directions.checkpoint.locate", ["run"]),
    (evaluate, "evaluate.checkpoint.locate", ["run"]),
    (export, "export.export_generator", ["run", "--format", "torch"]),
    (generate, "generate.checkpoint.locate", ["run"]),
    (invert, "invert.checkpoint.locate", ["run", "pictures"]),
    (results, "results.write_results", ["runs"]),
    (timelapse, "timelapse.video.pictures_of", ["run"]),
]
TOOLS = [tool.__name__.rpartition(".")[2] for tool, _, _ in ENDED]


@pytest.fixture
def ending(monkeypatch, capsys, tmp_path):
    """The exit code of a tool in which a function raises an error, and what it prints."""

    def end(tool, function, arguments, error):
        def fail(*_, **__):
            raise error

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(f"gan_lightning.cli.{function}", fail)
        with pytest.raises(SystemExit) as leaving:
            tool.main(arguments)
        return leaving.value.code, capsys.readouterr().err

    return end


@pytest.mark.parametrize(("tool", "function", "arguments"), ENDED, ids=TOOLS)
def test_ctrl_c_ends_in_one_line(ending, tool, function, arguments):
    assert ending(tool, function, arguments, KeyboardInterrupt()) == (130, "interrupted\n")


@pytest.mark.parametrize(("tool", "function", "arguments"), ENDED, ids=TOOLS)
def test_an_error_of_the_file_system_names_its_path_and_a_way_out(ending, tool, function, arguments):
    code, _ = ending(tool, function, arguments, OSError(28, "No space left on device", "/full/x.png"))
    assert code == "error: /full/x.png: No space left on device. Free space there, or inodes (df -i)"

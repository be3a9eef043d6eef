"""`mtlattack layout`: what it prints, draws and refuses."""

from pathlib import Path

import pytest
from cli_toys import CommandLine

TREE = "depth+normals+edge_texture/depth+normals|edge_texture/depth|normals|edge_texture"
TASKS = "depth,normals,edge_texture"


def test_a_layout_by_name_and_written_out_says_the_same(cli: CommandLine) -> None:
    out = cli.good("layout", TREE, "--tasks", TASKS)
    lines = out.splitlines()
    assert [line.split()[-1] for line in (lines[0], lines[2], lines[3])] == ["tree-3x3-6", TREE, "0.4444"]
    assert "6 of 22, from 0" in lines[1] and "├── stage 2  depth + normals" in out
    assert cli.good("layout", "tree-3x3-6", "--tasks", TASKS, "--stages", 3) == out
    assert cli.good("layout", "edge_texture+depth+normals/edge_texture|normals+depth/normals|depth|edge_texture",
                    "--tasks", TASKS) == out  # fmt: skip


def test_defaults_are_the_zoos(cli: CommandLine) -> None:
    out = cli.good("layout", "tree-5x5-1692")
    assert "1692 of 7556" in out and "0.3200" in out and "keypoints2d" in out and "GFLOPs" not in out


def test_a_backbone_gives_counts(cli: CommandLine) -> None:
    out = cli.good("layout", "shared", "--tasks", "segmentation,depth", "--backbone", "resnet18", "--size", "64x96")
    table = out[out.index("GFLOPs") :].splitlines()[1:]
    rows = {name.strip(): parameters for name, parameters, _ in (line.rsplit(maxsplit=2) for line in table)}
    assert list(rows) == [*(f"stage {i}" for i in range(1, 6)), "head segmentation", "head depth", "all"]
    assert rows["stage 1"] == "9,536"  # 7·7·3·64 and two of 64 for its normalisation


@pytest.mark.parametrize("name", ["tree.png", "folder/tree.svg"])
def test_a_picture(name: str, cli: CommandLine) -> None:
    assert cli.good("layout", "separate", "--picture", name).endswith(f"{name}\n")
    assert Path(name).stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["shared", "--tasks", "depth,"], "--tasks 'depth,', expected names"),
        (["shared", "--backbone", "resnet18", "--output-stride", 7], "output stride 7, expected 8, 16 or 32"),
        (["shared", "--picture", "tree.gif"], "tree.gif"),
        (["sharde"], "layout 'sharde' is none of shared, separate, tree-5x5-<index>"),
        (["tree-5x5-7556"], "no tree 7556: 5 tasks over 5 stages have 7556"),
        (["shared", "--backbone", "resnet118"], "unknown backbone 'resnet118'; did you mean"),
        (["shared", "--backbone", "resnet18", "--stages", 4], "--stages 4: backbone resnet18 has 5"),
        (["shared", "--backbone", "resnet18", "--head", "atrious"], "unknown head 'atrious'; did you mean 'atrous'?"),
        (["shared", "--backbone", "resnet18", "--tasks", "depth,detph"], "unknown task 'detph'; did you mean 'depth'?"),
        (["shared", "--backbone", "resnet18", "--size", "224"], "--size '224': expected height x width"),
        (["shared", "--backbone", "resnet18", "--size", "0x10"], "--size '0x10': expected height x width"),
        (["shared", "--stages", 0], "stages"),
        (["shared", "--tasks", "depth,"], "--tasks 'depth,', expected names with commas between"),
        (["shared", "--tasks", "depth,depth"], "does not hold each of depth once"),
    ],
)
def test_mistakes(arguments: list[object], message: str, cli: CommandLine) -> None:
    assert message in cli.bad("layout", *arguments)

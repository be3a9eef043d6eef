"""The studies there are, by name; the code of one is imported when it is asked for."""

from importlib import import_module

from mtlattack.errors import UnknownNameError
from mtlattack.studies.study import Study

STUDIES = {
    "balance": "mtlattack.studies.balance:BalanceStudy",
    "loss-scale": "mtlattack.studies.loss_scale:LossScaleStudy",
    "sharing": "mtlattack.studies.sharing:SharingStudy",
    "pixel-tasks": "mtlattack.studies.pixel_tasks:PixelTasksStudy",
    "joint-attack": "mtlattack.studies.joint_attack:JointAttackStudy",
    "auxiliary": "mtlattack.studies.auxiliary:AuxiliaryStudy",
    "representation": "mtlattack.studies.representation:RepresentationStudy",
    "representation-vision": "mtlattack.studies.representation_vision:RepresentationVisionStudy",
    "poisoning": "mtlattack.studies.poisoning:PoisoningStudy",
}


def list_studies() -> list[str]:
    """Names, in the order in which they are listed."""
    return list(STUDIES)


def find_study(name: str) -> Study:
    """The study called `name`; UnknownNameError with the nearest name otherwise."""
    if name not in STUDIES:
        raise UnknownNameError("study", name, STUDIES)
    module, _, attribute = STUDIES[name].partition(":")
    study: Study = getattr(import_module(module), attribute)()
    return study

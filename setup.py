"""The packages of the wheel. conf/ becomes gan_lightning.conf, which pyproject.toml cannot express."""

from setuptools import find_namespace_packages, find_packages, setup

setup(
    packages=[
        *find_packages(include=["gan_lightning*"]),
        *("gan_lightning.conf", *(f"gan_lightning.conf.{group}" for group in find_namespace_packages("conf"))),
    ],
    package_dir={"gan_lightning.conf": "conf"},
)

"""A SLURM cluster of one node on this machine, for tests.

Daemons are Debian's (slurmctld, slurmd, munge). They listen on 127.0.0.1 and free ports, keep
everything in one folder, and end with :meth:`Slurm.stop`. Without accounting, job states come
from `squeue`.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

PROGRAMS = (
    "slurmctld",
    "slurmd",
    "munged",
    "sbatch",
    "squeue",
    "scontrol",
    "scancel",
    "sinfo",
    "srun",
)
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
MinJobAge=300
KillWait=2
ReturnToService=2
SlurmctldTimeout=300
SlurmdTimeout=300
MessageTimeout=60
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def _missing() -> list[str]:
    return [name for name in PROGRAMS if _find(name) is None]


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _hold_port() -> socket.socket:
    """Take a free port below those that the kernel gives to outgoing connections."""
    draw = random.SystemRandom()
    while True:
        server = socket.socket()
        try:
            server.bind(("127.0.0.1", draw.randrange(16_384, 32_768)))
        except OSError:
            server.close()
        else:
            return server


def _node_memory() -> int:
    """MB of the node: what the jobs want, less on a small machine, enough for each alone."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**2
    return int(min(8000, max(6000, 0.8 * physical)))


@dataclass
class Slurm:
    """The running daemons.

    The node has the two cores that the training asks for, whatever the machine has.
    """

    folder: Path
    cpus: int = 2
    memory: int = field(default_factory=_node_memory)
    host: str = field(default_factory=lambda: socket.gethostname().split(".")[0])
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @staticmethod
    def missing() -> list[str]:
        """Programs that are not installed; empty where a cluster can be started."""
        return _missing()

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "MUNGE_SOCKET": str(self.folder / "munge.socket"),
        }

    def start(self) -> Slurm:
        """Start the daemons and wait until the node is idle."""
        for name in ("spool", "state"):
            (self.folder / name).mkdir()
        self._wrap_srun()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        self.folder.chmod(0o755)  # munge wants to be reachable by everyone
        ports = {"slurmctld": _hold_port(), "slurmd": _hold_port()}  # until each is started
        text = CONFIGURATION.format(
            host=self.host,
            user=subprocess.check_output(["id", "-un"], text=True).strip(),
            folder=self.folder,
            controller_port=ports["slurmctld"].getsockname()[1],
            node_port=ports["slurmd"].getsockname()[1],
            cpus=self.cpus,
            memory=self.memory,
        )
        (self.folder / "slurm.conf").write_text(text, encoding="utf-8")
        self._daemon(
            "munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket",
            f"--key-file={key}", f"--log-file={self.folder}/munged.log",
            f"--pid-file={self.folder}/munged.pid", f"--seed-file={self.folder}/munged.seed",
        )  # fmt: skip
        self._wait(lambda: (self.folder / "munge.socket").exists(), "munged")
        for words in (("slurmctld", "-D"), ("slurmd", "-D", "-N", self.host)):
            ports[words[0]].close()
            self._daemon(*words)
        self._wait(lambda: "idle" in self.command("sinfo", "-h", "-o", "%T"), "the node")
        return self

    def _wrap_srun(self) -> None:
        """Put an `srun` first in the path that finds this cluster.

        Snakemake removes SLURM_CONF within jobs: elsewhere the file is in its standard place.
        """
        wrapper = self.folder / "bin" / "srun"
        wrapper.parent.mkdir()
        wrapper.write_text(
            f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {_find("srun")} "$@"\n',
            encoding="utf-8",
        )
        wrapper.chmod(0o755)

    def _daemon(self, *words: str) -> None:
        program = _find(words[0])
        assert program is not None, words[0]
        with (self.folder / f"{words[0]}.out").open("wb") as log:
            self.daemons.append(
                subprocess.Popen(
                    [program, *words[1:]], env=self.environment, stdout=log, stderr=log
                )
            )

    def _wait(self, ready: object, what: str, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if ready():  # type: ignore[operator]
                return
            time.sleep(0.2)
        logs = "\n".join(path.read_text()[-1500:] for path in sorted(self.folder.glob("*.log")))
        self.stop()
        raise RuntimeError(f"{what} did not start in {seconds:g} s:\n{logs}")

    def command(self, *words: str, check: bool = False) -> str:
        """Run a SLURM command and return what it prints."""
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=check
        )
        return done.stdout

    def jobs(self, state: str = "RUNNING") -> dict[int, str]:
        """Jobs of a state: number → comment (Snakemake writes rule and wildcards there)."""
        text = self.command("squeue", "-h", "-t", state, "-o", "%i|%k", check=True)
        rows = (line.split("|", 1) for line in text.splitlines() if "|" in line)
        return {int(number): comment for number, comment in rows}

    def cancel_one(self) -> list[int]:
        """Cancel a running job; its number, nothing if there was none or it ended by itself."""
        running = self.jobs()
        if not running:
            return []
        victim = str(min(running))
        self.command("scancel", victim)
        end = time.monotonic() + 120
        while (state := self.state(victim)) in ("RUNNING", "COMPLETING"):
            if time.monotonic() > end:
                raise RuntimeError(f"job {victim} is still {state}")
            time.sleep(0.2)
        return [int(victim)] if state == "CANCELLED" else []

    def state(self, job: str) -> str:
        """State of a job that is running or has ended within the last minutes."""
        text = self.command("scontrol", "--oneliner", "show", "job", job, check=True)
        found = re.search(r"JobState=(\w+)", text)
        assert found is not None, text
        return found.group(1)

    def stop(self) -> None:
        """Cancel all jobs and end the daemons."""
        if len(self.daemons) == 3:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.command("scancel", *map(str, {**self.jobs(), **self.jobs("PENDING")}))
                end = time.monotonic() + 60
                while self.jobs() and time.monotonic() < end:
                    time.sleep(0.2)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

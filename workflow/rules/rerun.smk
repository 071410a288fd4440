"""What runs again: jobs whose code, parameters or inputs changed in content, whatever the dates.

Snakemake compares dates, and knows parameters from its folder `.snakemake` alone. Here the records
beside the files decide instead (`taipan.staleness`), so results may be touched, copied or moved into
another clone. That takes the place of a few functions of Snakemake. Another version may lack them, or
not ask them: then the run stops, because old results would pass for new ones. Files in a storage have
no records; there Snakemake decides as it always does.
"""

import snakemake

from snakemake.dag import DAG
from snakemake.jobs import Job
from snakemake.persistence import NO_PARAMS_CHANGE, ParamsChange, PersistenceBase
from snakemake.settings.enums import RerunTrigger

from taipan.staleness import FileDigests, PlannedJob, judge_job


def code_of(rule):
    """Hash of the code of a rule, as a function that Snakemake calls for jobs that it looks at."""

    @cache
    def find_code():
        return code_version(script_of(rule), analysis=CONFIG.folder)

    def code(wildcards):
        return find_code()

    return code


for _stage in workflow.rules:
    if _stage.script and "code" not in _stage.params.keys():
        _stage.set_params(code=code_of(_stage))


if CONFIG.plotting.style:
    from taipan.style_file import read_style

    STYLE = read_style(
        CONFIG.plotting.style
    )  # a change of the file is one of the figures
    for _stage in workflow.rules:
        if _stage.script and "header" in _stage.params.keys():
            _stage.set_params(style=STYLE)


class ContentChange(ParamsChange):
    """Why a job runs again; Snakemake prints it."""

    def __str__(self):
        return "; ".join(sorted(self.only_new))


def is_judged(job):
    """Whether the records of a job decide: it has some, and nobody asked for dates alone."""
    return (
        {RerunTrigger.PARAMS, RerunTrigger.INPUT}
        <= set(job.dag.workflow.rerun_triggers)
        and bool(job.rule.script and job.output)
        and not any(file.is_storage for file in (*job.output, *job.input))
    )


def memory_of(persistence):
    """Digests of files and judgements of jobs, kept with what else Snakemake remembers."""
    if not hasattr(persistence, "judgements"):
        store = persistence.path / "taipan" / "digests.json"
        persistence.digests, persistence.judgements = FileDigests(store), {}
    return persistence.digests, persistence.judgements


def judge(persistence, job):
    """Judge a job by its records; changed inputs become its reason to run."""
    planned = PlannedJob(
        job.rule.name,
        dict(job.wildcards.items()),
        dict(job.params.items()),
        list(map(str, job.input)),
        list(map(str, job.output)),
    )
    digests, judgements = memory_of(persistence)
    try:
        judgements[job] = judgement = judge_job(planned, digests)
    except TaipanError as error:
        raise WorkflowError(str(error)) from None
    if judgement.inputs:
        changed = [file for file in job.input if str(file) in judgement.inputs]
        persistence.dag.reason(job).updated_input.update(changed)
    if not judgement.reason:
        return NO_PARAMS_CHANGE
    return ContentChange(only_new={judgement.reason}, files=set(job.output))


def say_yes(persistence, job):
    """Answer for Snakemake's own records, which are not asked."""
    return True


def say_no(persistence, job):
    """Answer for Snakemake's own records, which are not asked."""
    return False


def find_none(persistence, job):
    """Answer for Snakemake's own records, which are not asked."""
    return ()


def unless_judged(original, instead):
    """A method of Snakemake that does something else for jobs that their records decide."""

    def method(self, job, *more):
        return instead(self, job) if is_judged(job) else original(self, job, *more)

    return method


def refuse_damaged(dag):
    """Stop if a file that is not made again is not as it was written, or if nobody looked."""
    digests, judgements = memory_of(dag.workflow.persistence)
    digests.save()
    kept = [job for job in dag.jobs if not (dag.needrun(job) or dag.finished(job))]
    damaged = sorted(
        line for job in kept if job in judgements for line in judgements[job].damaged
    )
    if damaged:
        raise WorkflowError("\n".join(damaged))
    if dag.rules_allowed_for_needrun:
        return
    missed = sorted(
        {job.rule.name for job in kept if is_judged(job) and job not in judgements}
    )
    if missed:
        refuse_snakemake(f"it does not ask whether {', '.join(missed)} must run again")


def refuse_snakemake(reason):
    """Stop because this version of Snakemake works in another way."""
    version = snakemake.__version__
    raise WorkflowError(
        f"snakemake: {version}: {reason}; install the version of requirements.lock"
    )


def decide_by_content():
    """Put the judgement by content in the place of Snakemake's by dates, once a process."""
    plan, oldest = DAG.update_needrun, Job.output_mintime.fget
    older_than_script = Job.outputs_older_than_script_or_notebook

    async def update_needrun(self, *arguments, **named):
        await plan(self, *arguments, **named)
        refuse_damaged(self)

    async def output_mintime(self):
        return None if is_judged(self) else await oldest(self)

    async def outputs_older_than_script(self):
        if not is_judged(self):
            async for file in older_than_script(self):
                yield file

    DAG.update_needrun = update_needrun
    Job.output_mintime = property(output_mintime)
    Job.outputs_older_than_script_or_notebook = outputs_older_than_script
    for name, instead in {
        "has_metadata": say_yes,
        "has_outdated_metadata": say_no,
        "params_changed": judge,
        "input_changed": find_none,
    }.items():
        original = getattr(PersistenceBase, name)
        setattr(PersistenceBase, name, unless_judged(original, instead))
    DAG.is_judged_by_content = True


if workflow.is_main_process and not hasattr(DAG, "is_judged_by_content"):
    try:
        decide_by_content()
    except AttributeError as error:
        refuse_snakemake(str(error))

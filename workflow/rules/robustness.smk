"""Attacks on the networks: `snakemake robustness`, not part of a default run."""

if CONFIG.fit.observable == SCORES[RESULT]:  # else its bins are not fitted

    rule robustness:
        """Measure what changes within the uncertainties do to the score and to the result."""
        input:
            f"{OUT}/robustness/robustness.json",
            f"{OUT}/robustness/detector.json",

    rule measure_robustness:
        """Attack the events of every simulated sample within the uncertainties."""
        input:
            **TRAINING_INPUTS,
            models=MODELS,
            workspace=f"{OUT}/workspaces/{SCORES[RESULT]}.json",
            record=f"{OUT}/workspaces/{SCORES[RESULT]}_record.json",
        output:
            robustness=f"{OUT}/robustness/robustness.json",
            text=report(
                f"{OUT}/robustness/robustness.md",
                caption="../report/robustness.rst",
                category="Robustness",
            ),
        log:
            log_file("measure_robustness"),
        benchmark:
            benchmark_file("measure_robustness")
        params:
            events=nominal_by_dataset(),
            parts=f"{OUT}/robustness/parts",
            config=SLICES.training("systematics", "robustness"),
            seed=derive_seed(SEED, "robustness"),
        script:
            "../../scripts/measure_robustness.py"

    rule detect_attacks:
        """Train networks that find attacked events."""
        input:
            **TRAINING_INPUTS,
            models=MODELS,
            record=f"{OUT}/workspaces/{SCORES[RESULT]}_record.json",
        output:
            detector=f"{OUT}/robustness/detector.json",
            text=report(
                f"{OUT}/robustness/detector.md",
                caption="../report/detector.rst",
                category="Robustness",
            ),
        log:
            log_file("detect_attacks"),
        benchmark:
            benchmark_file("detect_attacks")
        params:
            events=nominal_by_dataset(),
            parts=f"{OUT}/robustness/detector_parts",
            config=SLICES.training("systematics", "robustness"),
            seed=derive_seed(SEED, "detector"),
        script:
            "../../scripts/detect_attacks.py"

    rule fit_attack:
        """Fit with a nuisance parameter for the attack, beside the result; made on demand."""
        input:
            workspace=f"{OUT}/workspaces/{SCORES[RESULT]}.json",
            record=f"{OUT}/workspaces/{SCORES[RESULT]}_record.json",
            robustness=f"{OUT}/robustness/robustness.json",
            nominal=f"{OUT}/fit/{SCORES[RESULT]}.json",
        output:
            result=f"{OUT}/robustness/fit.json",
            text=report(
                f"{OUT}/robustness/fit.md",
                caption="../report/attack.rst",
                category="Robustness",
            ),
        log:
            log_file("fit_attack"),
        benchmark:
            benchmark_file("fit_attack")
        params:
            confidence_level=CONFIG.fit.confidence_level,
        script:
            "../../scripts/fit_attack.py"

    rule explain:
        """Measure what features and hidden units of the networks are worth; made on demand."""
        input:
            **TRAINING_INPUTS,
            models=MODELS,
            record=f"{OUT}/workspaces/{SCORES[RESULT]}_record.json",
        output:
            **figures("explain"),
            explained=f"{OUT}/robustness/explained.json",
            text=report(
                f"{OUT}/robustness/explained.md",
                caption="../report/explained.rst",
                category="Robustness",
            ),
        log:
            log_file("explain"),
        benchmark:
            benchmark_file("explain")
        params:
            events=nominal_by_dataset(),
            config=SLICES.training("robustness"),
            seed=derive_seed(SEED, "explain"),
            header=PLOT_HEADER,
        script:
            "../../scripts/explain.py"

    rule rank_groups:
        """Train without groups of features, to learn what each is worth; made on demand."""
        input:
            **TRAINING_INPUTS,
            weights=TRANSFORMED_WEIGHTS,
        output:
            groups=f"{OUT}/robustness/groups.json",
            text=report(
                f"{OUT}/robustness/groups.md",
                caption="../report/groups.rst",
                category="Robustness",
            ),
        log:
            log_file("rank_groups"),
        benchmark:
            benchmark_file("rank_groups")
        params:
            events=nominal_by_dataset(),
            config=SLICES.plain_training("robustness"),
            seed=derive_seed(SEED, "groups"),
        script:
            "../../scripts/rank_groups.py"

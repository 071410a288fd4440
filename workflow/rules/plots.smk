"""Figures, each as PDF and PNG with its numbers as JSON."""


rule plot_cutflow:
    """Draw the events of each dataset after each cut."""
    input:
        cutflow=CUTFLOW,
        normalisation=NORMALISATION,
    output:
        **figures("plot_cutflow"),
    log:
        log_file("plot_cutflow"),
    benchmark:
        benchmark_file("plot_cutflow")
    params:
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_cutflow.py"


rule plot_control:
    """Draw data and prediction of every control quantity, a page a region."""
    input:
        control=CONTROL,
        transfer_factor=TRANSFER,
    output:
        **figures("plot_control", region=list(CONFIG.regions)),
    log:
        log_file("plot_control"),
    benchmark:
        benchmark_file("plot_control")
    params:
        config=control_slice(),
        blinded=blinded_regions(),
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_control.py"


rule plot_systematics:
    """Draw the templates of the systematic uncertainties of one observable."""
    input:
        templates=TEMPLATES,
        workspace=f"{OUT}/workspaces/{{observable}}.json",
        record=f"{OUT}/workspaces/{{observable}}_record.json",
    output:
        **figures("plot_systematics"),
    log:
        f"{OUT}/logs/plot_systematics/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/plot_systematics/{{observable}}.tsv"
    params:
        config=systematic_slice(),
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_systematics.py"


rule plot_fit:
    """Draw one fit: distributions before and after, pulls, correlations, impacts."""
    input:
        result=f"{OUT}/fit/{{observable}}.json",
    output:
        **figures("plot_fit"),
    log:
        f"{OUT}/logs/plot_fit/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/plot_fit/{{observable}}.tsv"
    params:
        config=fit_slice(),
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_fit.py"


if CROSS_CHECKS:

    rule compare_estimates:
        """Compare the estimate of a sample with its cross-checks."""
        input:
            templates=TEMPLATES,
            transfer_factor=TRANSFER,
        output:
            **figures("compare_estimates"),
            cross_checks=CROSS_CHECKS[0],
        log:
            log_file("compare_estimates"),
        benchmark:
            benchmark_file("compare_estimates")
        params:
            config=slice_config(CONFIG, "samples", "regions", "observables", "fit"),
            header=PLOT_HEADER,
        script:
            "../../scripts/compare_estimates.py"


if len(CONFIG.fit.drawn_in_pairs) > 1:

    rule plot_contours:
        """Draw the contours of the parameters of interest of one fit."""
        input:
            result=f"{OUT}/fit/{{observable}}.json",
        output:
            **figures("plot_contours"),
        log:
            f"{OUT}/logs/plot_contours/{{observable}}.log",
        benchmark:
            f"{OUT}/benchmarks/plot_contours/{{observable}}.tsv"
        params:
            header=PLOT_HEADER,
        script:
            "../../scripts/plot_contours.py"

    rule plot_interests:
        """Draw profile, impacts and breakdown of each parameter of interest."""
        input:
            result=f"{OUT}/fit/{{observable}}.json",
        output:
            **figures(
                "plot_interests",
                parameter=CONFIG.fit.drawn_in_pairs,
                further=CONFIG.fit.drawn_in_pairs[1:],
            ),
        log:
            f"{OUT}/logs/plot_interests/{{observable}}.log",
        benchmark:
            f"{OUT}/benchmarks/plot_interests/{{observable}}.tsv"
        params:
            parameters=CONFIG.fit.drawn_in_pairs,
            header=PLOT_HEADER,
        script:
            "../../scripts/plot_interests.py"


if CONFIG.fit.unfolding:

    rule plot_spectra:
        """Draw the unfolded spectra of one fit."""
        input:
            result=f"{OUT}/fit/{{observable}}.json",
        output:
            **figures("plot_spectra"),
        log:
            f"{OUT}/logs/plot_spectra/{{observable}}.log",
        benchmark:
            f"{OUT}/benchmarks/plot_spectra/{{observable}}.tsv"
        params:
            header=PLOT_HEADER,
        script:
            "../../scripts/plot_spectra.py"

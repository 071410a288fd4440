"""Figures of the fit of all data-taking periods."""


rule plot_fit_of_eras:
    """Draw the combined fit: distributions of every era, pulls, correlations, impacts."""
    input:
        result=f"{OUT}/fit/{{observable}}.json",
    output:
        **figures("plot_fit"),
    log:
        f"{OUT}/logs/plot_fit/{{observable}}.log",
    benchmark:
        f"{OUT}/benchmarks/plot_fit/{{observable}}.tsv"
    params:
        config=merge_sections(PERIODS, "samples", "regions", "observables", "plotting"),
        eras=list(PERIODS),
        header=PLOT_HEADER,
    script:
        "../../scripts/plot_fit.py"


if SEVERAL:

    rule plot_contours_of_eras:
        """Draw the contours of the parameters of interest of the combined fit."""
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

    rule plot_interests_of_eras:
        """Draw profile, impacts and breakdown of each parameter of interest of the combined fit."""
        input:
            result=f"{OUT}/fit/{{observable}}.json",
        output:
            **figures("plot_interests", parameter=SEVERAL, further=SEVERAL[1:]),
        log:
            f"{OUT}/logs/plot_interests/{{observable}}.log",
        benchmark:
            f"{OUT}/benchmarks/plot_interests/{{observable}}.tsv"
        params:
            parameters=SEVERAL,
            header=PLOT_HEADER,
        script:
            "../../scripts/plot_interests.py"


if ONE.fit.unfolding:

    rule plot_spectra_of_eras:
        """Draw the unfolded spectra of the combined fit."""
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

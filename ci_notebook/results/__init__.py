"""Tables, charts, verdicts, rankings and reports of runs. Results are plain outputs: they need no kernel.

Reading order:

    columns           the columns of the table of runs, from the declarations
    xml_columns       `JobsDetail` elements, many at a time, as columns
    dataframe         `to_frame`, `read_jobs`: runs, jobs, settings and templates as a DataFrame
    labels            values and settings in words; which parameters vary
    table_files       tables as CSV and Parquet, and runs read back from them
    runs              `Runs`, the result of `lab.run`
    run_table         runs as a small HTML table, also "Every run" in the report
    plan              `Plan`, the jobs and prices of a sweep before it is sent
    search_result     `Found`, the result of `lab.optimize`
    progress_bar      a progress bar in a notebook or a terminal
    inline_chart      a chart as `<figure>` HTML
    inline_pictures   JPEGs side by side as HTML
    charts/           response curves, Pareto front, BD-rate and others
    verdict/          is one value of a parameter better than another?
    voting/           rankings from blind votes
    score/            scores of two files, the result of `ci.score`
    report/           one HTML file about runs
"""

"""One HTML file about runs that opens anywhere, without kernel, network or scripts.

Reading order:

    html_report    `report`: the page and its sections
    before_after   frames of source and outputs in one place, switched by radio buttons
    chart_choice   which charts the runs allow
    recipe         the lines of Python that repeat the runs
    report.css     the style of the page
"""

"""Live table of the jobs of a lab.

    job_list       jobs as table rows, read from the service page by page
    monitor_view   `Monitor`, kernel side: polling thread and actions

On the page: `table.js` (filtering, sorting, virtual rows) and `view.js`.
"""

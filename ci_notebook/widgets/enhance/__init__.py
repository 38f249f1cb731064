"""Panel for one setting on one clip.

controls        texts of the controls ↔ an operation; validation
schema          description of every control as JSON, from the declarations
history         undo, redo, reset, remedies, changes
panel_state     everything that a panel knows, without a widget
traits          traits that the kernel and the page share
start_from      presets and templates; the setting that a panel starts from
other_requests  stages of other kinds of jobs; settings that a request names by TemplateId
paste           reads pasted XML or Python
export          Python, XML and curl of a setting
price_line      price of the current setting
result          result of a job as plain HTML
submission      sends one job per click, in a thread
enhance_panel   `EnhancePanel`
"""

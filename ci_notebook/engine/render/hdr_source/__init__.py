"""HDR sources that stay HDR: the stages on SDR-referred light, and the light of what they make.

Modules, in reading order:

sdr_referred  the filters around the stages
made_light    measures how bright the frames of a job are on average
"""

"""XML of finished jobs in the form of the service, for the tests of DataFrames and charts."""

from __future__ import annotations

DONE = """<JobsDetail><Code>Success</Code><Message/><JobId>j{n:032x}</JobId><State>Success</State>
<Progress>100</Progress>
<CreationTime>2022-06-27T15:23:12+0800</CreationTime><StartTime>2022-06-27T15:23:13+0800</StartTime>
<EndTime>2022-06-27T15:24:33+0800</EndTime><QueueId>p2242ab62c7c94486915508540933a2c6</QueueId><Tag>VideoEnhance</Tag>
<Input><BucketId>test-1250000000</BucketId><Object>input/clip-{n}.mp4</Object><Region>ap-chongqing</Region></Input>
<Operation><VideoEnhance><Transcode><Container><Format>mp4</Format></Container>
<Video><Codec>H.264</Codec><Width>1280</Width><Bitrate>{bitrate}</Bitrate></Video>
<Audio><Codec>aac</Codec><Samplerate>44100</Samplerate></Audio></Transcode>
<SuperResolution><Resolution>sdtohd</Resolution><EnableScaleUp>true</EnableScaleUp><Version>Base</Version></SuperResolution>
<ColorEnhance><Contrast>50</Contrast><Correction/></ColorEnhance>
<MsSharpen><SharpenLevel>{level}</SharpenLevel></MsSharpen></VideoEnhance>
<MediaInfo><Format><NumStream>2</NumStream><FormatName>mov,mp4,m4a,3gp,3g2,mj2</FormatName><StartTime>0.000000</StartTime>
<Duration>13.{n:06d}</Duration><Bitrate>834.736000</Bitrate><Size>{size}</Size></Format>
<Stream><Audio><Index>1</Index><CodecName>aac</CodecName><SampleRate>44100</SampleRate><Channel>2</Channel>
<Bitrate>104.047000</Bitrate><Language>und</Language></Audio><Subtitle/>
<Video><Index>0</Index><CodecName>h264</CodecName><Profile>High</Profile><Width>1280</Width><Height>720</Height>
<PixFormat>yuv420p</PixFormat><Fps>25.000000</Fps><AvgFps>25.000000</AvgFps><Bitrate>763.774000</Bitrate>
<NumFrames>324</NumFrames><Rotation>0.000000</Rotation></Video></Stream></MediaInfo>
<MediaResult><OutputFile><Bucket>test-1250000000</Bucket><Region>ap-chongqing</Region>
<ObjectName>clip-{n}.mp4</ObjectName><ObjectPrefix>output/</ObjectPrefix>
<Md5Info><ObjectName>clip-{n}.mp4</ObjectName><Md5>{n:032x}</Md5></Md5Info></OutputFile></MediaResult>
<Output><Region>ap-chongqing</Region><Bucket>test-1250000000</Bucket><Object>output/clip-{n}.${{ext}}</Object></Output>
<UserData>ticket {n}</UserData><JobLevel>0</JobLevel></Operation></JobsDetail>"""


def done(number: int = 1, **changes: object) -> str:
    """Return the XML of one finished job; `number` makes it its own."""
    return DONE.format(**{"n": number, "bitrate": 900, "level": number % 11, "size": 1424687 + number} | changes)


def response(*jobs: str) -> bytes:
    """Return an answer that lists jobs."""
    return f"<Response>{''.join(jobs)}</Response>".encode()

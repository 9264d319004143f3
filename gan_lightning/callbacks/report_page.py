"""The page of a run's report: its style, its script, and its template for jinja2."""

STYLE = """\
dl { display: flex; flex-wrap: wrap; gap: .4em 2em; margin: 1em 0 } dt { color: #666; font-size: 13px } dd { margin: 0 }
h2 { margin: 1.6em 0 .4em; border-top: 1px solid #ddd; padding-top: .8em } p.bad { color: #a00; white-space: pre-wrap }
.looks { display: flex; flex-wrap: wrap; gap: 2em; align-items: flex-start }
.looks > div { max-width: 32em } .looks figure { margin: 0 } [hidden] { display: none !important }
.looks img, .looks video { max-width: 100%; max-height: 64em; display: block }
input[type=range] { width: 100%; margin: .6em 0 } img.nearest { max-width: 100% }
figcaption { max-width: none } table.settings td { font: 13px/1.4 ui-monospace, monospace; word-break: break-word }
.finding { border-left: 4px solid #5a5; padding-left: 1em; margin: 1em 0 } .finding.bad { border-color: #c33 }
.finding h3 { margin: 0 } .source { color: #666; font-size: 13px } .finding img { max-width: 28em }
tr.changed td { background: #fff6dd } td.before { color: #777 } summary { cursor: pointer }
pre { background: #f5f5f5; padding: .6em .9em; overflow-x: auto; margin: .3em 0 }
"""
SCRIPT = """
const slider = document.getElementById("slider");
const grids = document.querySelectorAll(".grids figure");
if (slider) {
  slider.hidden = false;
  slider.addEventListener("input", () => grids.forEach((grid, place) => { grid.hidden = place != slider.value; }));
}
"""
"""The slider over the sample grids; without it the page shows the last one."""
PAGE = """\
<dl>
{% for name, value in facts.items() %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}
</dl>
{% if reason %}<p class="bad">{{ reason }}</p>{% endif %}
{% if grids %}
<h2>Samples</h2>
<div class="looks">
<div class="grids">
{% for grid in grids %}
<figure{% if not loop.last %} hidden{% endif %}>
<img src="{{ grid.picture | png }}" alt="{{ grid.caption }}">
<figcaption>{{ grid.caption }}</figcaption>
</figure>
{% endfor %}
{% if grids | length > 1 %}
<input type="range" id="slider" aria-label="batch"
       max="{{ grids | length - 1 }}" value="{{ grids | length - 1 }}" hidden>
{% endif %}
</div>
{% if video %}
<div><video src="{{ video | mp4 }}" controls autoplay loop muted></video></div>
{% endif %}
</div>
{% endif %}
{% if doctor %}
<h2>Diagnosis</h2>
{% for rollback in doctor.rollbacks %}
<p>{{ rollback }}</p>
{% endfor %}
{% for finding in doctor.findings %}
<div class="finding{{ " bad" if finding.advice }}">
<h3>{{ finding.title }} since batch {{ finding.since }}</h3>
<p>{{ finding.meaning }} Measured: {{ finding.evidence }}.</p>
<img class="plot" src="{{ finding.plot | png }}" alt="{{ finding.sign }} over batches">
{% if finding.advice %}
<table>
<tr><th>what to change</th><th>why</th></tr>
{% for key, text in finding.advice.items() %}
<tr><td><code>{{ key }}</code></td><td>{{ text }}</td></tr>
{% endfor %}
</table>
<p class="source">Source: {{ finding.source }}</p>
{% endif %}
</div>
{% else %}
<p>Nothing is wrong so far, after {{ doctor.measurements }} measurements.</p>
{% endfor %}
{% endif %}
{% if curves %}
<h2>Curves</h2>
<img class="plot" src="{{ curves | png }}" alt="losses and scores over batches">
{% endif %}
{% if quality %}
<h2>Quality</h2>
<table>
<tr>{% for name in quality.columns %}<th>{{ name }}</th>{% endfor %}</tr>
{% for row in quality.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% for note in quality.notes %}<p>{{ note }}</p>{% endfor %}
{% if quality.nearest %}
<img class="nearest" src="{{ quality.nearest | png }}" alt="generated images above their nearest training images">
{% endif %}
{% endif %}
<h2>What next</h2>
{% for purpose, command in commands.items() %}
<p>{{ purpose }}</p>
<pre>{{ command }}</pre>
{% endfor %}
<h2>Configuration</h2>
{% if compared %}
{% if changed %}
<table class="settings">
<tr><th>what differs from the default</th><th>value</th><th>default</th></tr>
{% for key, value, before in changed %}
<tr class="changed"><td>{{ key }}</td><td>{{ value }}</td><td class="before">{{ before }}</td></tr>
{% endfor %}
</table>
{% else %}
<p>All of it is the default.</p>
{% endif %}
{% endif %}
<details>
<summary>{{ "the rest" if changed else "the whole" }}: {{ same | length }} settings</summary>
<table class="settings">
{% for key, value, _ in same %}
<tr><td>{{ key }}</td><td>{{ value }}</td></tr>
{% endfor %}
</table>
</details>
<h2>Versions</h2>
<dl>
{% for name, value in versions.items() %}
<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>
{% endfor %}
</dl>
"""

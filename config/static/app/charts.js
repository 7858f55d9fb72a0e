// Charts: data from a JSON block of the page (data-source), words from the server, ECharts on a canvas.
const INK = "#1c2521", SOFT = "#56625c", LINE = "#e3e7e4";
const LEAF = "#1f6f54", BLUE = "#2a6fb3", RED = "#c62f2f", AMBER = "#c77700";
// the server writes English days as "4 Nov"; so do the axes
const LANGUAGE = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

const round = (value) => (value === null || value === undefined ? value : Math.round(value * 10) / 10);

function days(first, count) {
  const start = Date.parse(`${first}T00:00:00Z`);
  return Array.from({ length: count }, (_, n) => new Date(start + n * 86400000).toISOString().slice(0, 10));
}

function base(options) {
  return {
    animation: !calm,
    animationDuration: 250,
    textStyle: { fontFamily: "system-ui, sans-serif", color: INK },
    grid: { left: 48, right: 16, top: 40, bottom: 30 },
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, appendTo: undefined,
      backgroundColor: "#fff", borderColor: LINE, textStyle: { color: INK, fontSize: 12 },
      valueFormatter: round,
    },
    legend: { top: 4, left: 8, itemWidth: 16, itemHeight: 9, itemGap: 14, textStyle: { color: SOFT, fontSize: 11 } },
    ...options,
  };
}
const dayAxis = (data) => ({
  type: "category", data, boundaryGap: false, axisTick: { show: false },
  axisLine: { lineStyle: { color: "#c8d0cb" } },
  axisLabel: {
    color: SOFT, hideOverlap: true,
    formatter: (day) => new Date(`${day}T00:00:00Z`).toLocaleDateString(LANGUAGE, { day: "numeric", month: "short", timeZone: "UTC" }),
  },
});
const valueAxis = (extra = {}) => ({
  type: "value", min: 0, axisLabel: { color: SOFT }, splitLine: { lineStyle: { color: "#edf0ee" } }, ...extra,
});

// A fan is two stacked lines: an unseen floor, and the height above it as an area.
function fan(name, low, high, colour, stack, opacity = 0.18) {
  return [
    { type: "line", stack, data: low, symbol: "none", silent: true, lineStyle: { opacity: 0 }, tooltip: { show: false }, name: `${name} floor` },
    {
      type: "line", stack, name, symbol: "none", silent: true, lineStyle: { opacity: 0 }, tooltip: { show: false },
      data: high.map((value, n) => (value === null ? null : value - low[n])),
      areaStyle: { color: colour, opacity }, itemStyle: { color: colour, opacity: 0.4 },
    },
  ];
}
const line = (name, data, colour, extra = {}) => ({
  type: "line", name, data, symbol: "none", itemStyle: { color: colour },
  lineStyle: { color: colour, width: 2 }, ...extra,
});
const mark = (label, yAxis, colour) => ({
  yAxis, lineStyle: { color: colour, type: "dashed" }, label: { formatter: label, position: "insideStartTop", color: colour, fontSize: 11 },
});

// Runs of days out of stock, as bands.
function bands(axis, flags) {
  const found = [];
  flags.forEach((flag, n) => {
    if (!flag) return;
    if (n && flags[n - 1]) found[found.length - 1][1].xAxis = axis[n];
    else found.push([{ xAxis: axis[n] }, { xAxis: axis[n] }]);
  });
  return found.map(([from, to]) => [from, from.xAxis === to.xAxis ? { xAxis: axis[Math.min(axis.indexOf(to.xAxis) + 1, axis.length - 1)] } : to]);
}
// Slanted strokes, so that the bands are told from other greys without colour.
function hatch() {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.fillStyle = "rgba(120,130,125,.10)";
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = "rgba(90,100,95,.45)";
  pen.beginPath();
  pen.moveTo(-2, 10); pen.lineTo(10, -2);
  pen.stroke();
  return { image: tile, repeat: "repeat" };
}

const CHARTS = {
  demand({ demand, words }) {
    const history = demand.history, mean = demand.mean, levels = demand.quantiles;
    const axis = [...days(demand.history_from, history.length), ...days(demand.forecast_from, mean.length)];
    const before = Array(history.length).fill(null);
    const keys = Object.keys(levels).sort((a, b) => a - b);
    const low = levels[keys[0]], high = levels[keys[keys.length - 1]];
    return base({
      xAxis: dayAxis(axis),
      yAxis: valueAxis(),
      dataZoom: [
        { type: "inside", startValue: Math.max(history.length - 120, 0), endValue: axis.length - 1 },
        { type: "slider", height: 14, bottom: 4, borderColor: "transparent", showDetail: false, brushSelect: false },
      ],
      grid: { left: 48, right: 16, top: 40, bottom: 46 },
      legend: { ...base({}).legend, data: [words.sold, words.forecast, { name: words.range, icon: "roundRect" }] },
      series: [
        {
          type: "bar", name: words.sold, data: history, itemStyle: { color: "#8aa99b" }, barCategoryGap: "20%",
          markArea: { silent: true, itemStyle: { color: hatch() }, data: bands(axis, demand.stocked_out) },
        },
        ...fan(words.range, [...before, ...low], [...before, ...high], BLUE, "range", 0.2),
        line(words.forecast, [...before, ...mean], BLUE, {
          markLine: { silent: true, symbol: "none", lineStyle: { color: "#9aa59f", type: "dotted" }, label: { formatter: words.today, color: SOFT, fontSize: 11 }, data: [{ xAxis: axis[history.length - 1] }] },
        }),
      ],
    });
  },

  projection({ projection, words }) {
    const axis = days(projection.from, projection.with_order.p50.length);
    const { with_order: yes, without_order: no } = projection;
    const flags = (projection.incoming || []).map((one) => ({
      xAxis: one.expected_on || one.day, lineStyle: { color: one.is_late ? RED : LEAF },
      label: { formatter: `+${one.quantity}${one.is_late ? ` (${words.late})` : ""}`, color: one.is_late ? RED : LEAF, fontSize: 11 },
    })).filter((one) => axis.includes(one.xAxis));
    if (projection.arrives_on && axis.includes(projection.arrives_on)) {
      flags.push({ xAxis: projection.arrives_on, lineStyle: { color: LEAF, width: 2 }, label: { formatter: words.arrives, color: LEAF, fontSize: 11 } });
    }
    return base({
      xAxis: dayAxis(axis),
      yAxis: valueAxis(),
      legend: { ...base({}).legend, data: [words.with_order, words.without_order, { name: words.with_range, icon: "roundRect" }, { name: words.without_range, icon: "roundRect" }] },
      series: [
        ...fan(words.without_range, no.p10, no.p90, AMBER, "no", 0.14),
        ...fan(words.with_range, yes.p10, yes.p90, LEAF, "yes", 0.14),
        line(words.without_order, no.p50, AMBER, { lineStyle: { color: AMBER, width: 2, type: "dashed" } }),
        line(words.with_order, yes.p50, LEAF, {
          markLine: {
            silent: true, symbol: "none",
            data: [
              ...(projection.reorder_point != null ? [mark(`${words.reorder_point} ${projection.reorder_point}`, projection.reorder_point, SOFT)] : []),
              ...flags,
            ],
          },
        }),
      ],
    });
  },

  waterfall({ waterfall, quantity, words }) {
    const steps = waterfall.filter((one) => one.value !== 0);
    const names = [...steps.map((one) => one.label), words.result];
    const floor = steps.map((one) => Math.min(one.total, one.total - one.value));
    const lowest = Math.min(0, ...floor);
    const part = (test) => [...steps.map((one) => (test(one) ? Math.abs(one.value) : "-")), "-"];
    const bar = (name, data, color) => ({
      type: "bar", stack: "all", name, data, itemStyle: { color }, barWidth: "62%",
      label: { show: true, position: "top", fontSize: 10, color: SOFT, formatter: ({ value, seriesName }) => (value === "-" ? "" : `${seriesName === "−" ? "−" : ""}${value}`) },
    });
    return base({
      grid: { left: 40, right: 8, top: 18, bottom: 8 },
      legend: { show: false },
      tooltip: { show: false },
      xAxis: { type: "category", data: names, axisLabel: { show: false }, axisTick: { show: false }, axisLine: { lineStyle: { color: "#c8d0cb" } } },
      yAxis: valueAxis({ min: lowest, splitNumber: 3 }),
      series: [
        { type: "bar", stack: "all", silent: true, itemStyle: { color: "transparent" }, data: [...floor, 0] },
        bar("+", part((one) => one.value > 0), "#5b9bd0"),
        bar("−", part((one) => one.value < 0), "#e0a458"),
        bar("=", [...steps.map(() => "-"), quantity], LEAF),
      ],
    });
  },

  balance({ points, words }) {
    return base({
      grid: { left: 48, right: 16, top: 16, bottom: 30 }, legend: { show: false },
      xAxis: { type: "time", axisLabel: { color: SOFT, hideOverlap: true } },
      yAxis: valueAxis(),
      series: [line(words.on_hand, points, LEAF, { step: "end", areaStyle: { color: LEAF, opacity: 0.08 } })],
    });
  },

  sold({ days: axis, quantities, stocked_out: flags, words }) {
    return base({
      grid: { left: 40, right: 16, top: 16, bottom: 30 }, legend: { show: false },
      xAxis: { ...dayAxis(axis), boundaryGap: true },
      yAxis: valueAxis({ minInterval: 1 }),
      series: [{
        type: "bar", name: words.sold, data: quantities, itemStyle: { color: "#6f9484" }, barCategoryGap: "15%",
        markArea: { silent: true, itemStyle: { color: hatch() }, data: bands(axis, flags) },
      }],
    });
  },

  lines({ x, series, x_name: xName, floor }) {
    return base({
      xAxis: { type: "category", data: x, name: xName, nameLocation: "middle", nameGap: 26, axisLabel: { color: SOFT, hideOverlap: true }, axisTick: { show: false } },
      yAxis: valueAxis(floor === undefined ? { min: undefined, scale: true } : { min: floor }),
      grid: { left: 56, right: 16, top: 40, bottom: 44 },
      series: series.map((one, n) => line(one.name, one.data, [LEAF, AMBER, BLUE, RED][n % 4], {
        symbol: "circle", symbolSize: 4, showSymbol: one.data.length < 40,
        lineStyle: { color: [LEAF, AMBER, BLUE, RED][n % 4], width: 2, type: n ? "dashed" : "solid" },
      })),
    });
  },
};

function draw(root) {
  root.querySelectorAll("[data-chart]").forEach((place) => {
    const source = document.getElementById(place.dataset.source);
    if (!source || !window.echarts) return;
    const chart = window.echarts.getInstanceByDom(place) || window.echarts.init(place, null, { renderer: "canvas" });
    chart.setOption(CHARTS[place.dataset.chart](JSON.parse(source.textContent)), true);
    new ResizeObserver(() => chart.resize()).observe(place);
  });
}
document.addEventListener("DOMContentLoaded", () => draw(document));
document.addEventListener("htmx:afterSwap", (event) => draw(event.target));

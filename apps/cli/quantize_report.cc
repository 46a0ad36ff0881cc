#include "quantize_report.h"

#include <algorithm>
#include <cmath>

#include "base/file.h"
#include "base/text.h"
#include "svg.h"

namespace mote::cli {
namespace {

Json number(const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); }

// One bar, or two beside each other, for every layer.
struct Chart {
  std::string title, unit;
  bool log = false;
  std::function<std::pair<double, double>(const LayerReport&)> values;  // before and after; before < 0: one bar
};

constexpr double kRow = 16, kNames = 260, kBars = 620;

std::string chart_svg(const Chart& chart, const std::vector<LayerReport>& layers) {
  double most = 0, least = HUGE_VAL;
  for (const LayerReport& l : layers) {
    auto [before, after] = chart.values(l);
    most = std::max({most, before, after});
    for (double v : {before, after}) {
      if (v > 0) least = std::min(least, v);
    }
  }
  if (!(most > 0)) return {};
  double floor = std::max(least / 2, most * 1e-6);
  auto width = [&](double v) {
    if (v <= 0) return 0.0;
    if (!chart.log) return v / most * kBars;
    return std::max(1.0, std::log(v / floor) / std::log(most / floor) * kBars);
  };
  double height = kRow * static_cast<double>(layers.size()) + 8;
  std::string s =
      concat("<h2>", escaped(chart.title), "</h2>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ",
             fixed(kNames + kBars + 110, 0), " ", fixed(height, 0), "\" width=\"100%\" font-size=\"11\">\n");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerReport& l = layers[i];
    auto [before, after] = chart.values(l);
    double y = kRow * static_cast<double>(i) + 4;
    s += concat("<text x=\"", fixed(kNames - 6, 0), "\" y=\"", fixed(y + 10, 1), "\" text-anchor=\"end\">",
                escaped(l.name), "</text>\n");
    auto bar = [&](double v, double top, double high, const char* colour) {
      s += concat("<rect x=\"", fixed(kNames, 0), "\" y=\"", fixed(top, 1), "\" width=\"", fixed(width(v), 1),
                  "\" height=\"", fixed(high, 1), "\" fill=\"", colour, "\"><title>", escaped(l.name), ": ",
                  scientific(v), " ", chart.unit, "</title></rect>\n");
    };
    const char* colour = l.quantized ? "#2a7" : "#e93";
    if (before >= 0) {
      bar(before, y, 5, "#999");
      bar(after, y + 6, 5, colour);
    } else {
      bar(after, y + 1, 10, colour);
    }
    double shown = std::max(width(before), width(after));
    s += concat("<text x=\"", fixed(kNames + shown + 4, 1), "\" y=\"", fixed(y + 10, 1), "\" fill=\"#555\">",
                before >= 0 ? scientific(before) + " → " : std::string(), scientific(after), " ", chart.unit,
                "</text>\n");
  }
  return s + "</svg>\n";
}

std::string row(const std::string& what, const std::string& before, const std::string& after) {
  return concat("<tr><td>", escaped(what), "</td><td>", escaped(before), "</td><td>", escaped(after), "</td></tr>\n");
}

std::string summary(const QuantizeReport& r) {
  std::string s = "<table><tr><th></th><th>before</th><th>after</th></tr>\n";
  s += row("weights", megabytes(static_cast<double>(r.bytes_before)), megabytes(static_cast<double>(r.bytes_after)));
  if (r.accuracy_before)
    s += row(concat("right of ", r.labelled, " samples"), fixed(*r.accuracy_before * 100, 2) + " %",
             fixed(*r.accuracy_after * 100, 2) + " %");
  if (r.ms_before) s += row("a run", fixed(*r.ms_before, 3) + " ms", fixed(*r.ms_after, 3) + " ms");
  if (r.error)
    s += row(concat("cosine distance of the outputs, mean of ", r.samples, " samples"), "0", scientific(*r.error));
  if (r.worst_error) s += row("of the worst sample", "0", scientific(*r.worst_error));
  return s + "</table>\n";
}

std::string table(const QuantizeReport& r) {
  std::string s = "<h2>Layers</h2>\n<table><tr><th>layer</th><th>op</th><th>as</th><th>why</th></tr>\n";
  for (const LayerReport& l : r.layers) {
    s += concat("<tr><td>", escaped(l.name), "</td><td>", escaped(l.op), "</td><td>", l.quantized ? r.scheme : "f32",
                "</td><td>", escaped(l.quantized ? "" : l.why), "</td></tr>\n");
  }
  return s + "</table>\n";
}

}  // namespace

Json report_json(const QuantizeReport& r) {
  Json layers = Json::array();
  for (const LayerReport& l : r.layers) {
    Json one = {{"name", l.name},
                {"op", l.op},
                {"quantized", l.quantized},
                {"macs", l.macs},
                {"bytes_before", l.bytes_before},
                {"bytes_after", l.bytes_after}};
    if (!l.why.empty()) one["why"] = l.why;
    if (l.error) one["error"] = *l.error;
    if (l.drop) one["drop"] = *l.drop;
    if (l.us_before) one["us_before"] = *l.us_before;
    if (l.us_after) one["us_after"] = *l.us_after;
    layers.push_back(std::move(one));
  }
  return {{"scheme", r.scheme},
          {"met", r.met},
          {"verdict", r.verdict},
          {"samples", r.samples},
          {"error", number(r.error)},
          {"worst_error", number(r.worst_error)},
          {"labelled", r.labelled},
          {"accuracy_before", number(r.accuracy_before)},
          {"accuracy_after", number(r.accuracy_after)},
          {"bytes_before", r.bytes_before},
          {"bytes_after", r.bytes_after},
          {"ms_before", number(r.ms_before)},
          {"ms_after", number(r.ms_after)},
          {"layers", std::move(layers)}};
}

std::string report_html(const QuantizeReport& r, const std::string& model, const std::string& output) {
  std::string title = concat(model, r.met ? " → " + output : "", ", ", r.scheme);
  std::string s =
      concat("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>", escaped(title),
             "</title>\n<style>body{font-family:sans-serif;color:#222;max-width:1000px;margin:2em auto}"
             "table{border-collapse:collapse}td,th{padding:2px 10px;border-bottom:1px solid #ddd;text-align:left}"
             "h1{font-size:1.3em}h2{font-size:1.1em;margin-top:2em}</style></head><body>\n<h1>",
             escaped(title), "</h1>\n");
  if (!r.verdict.empty()) s += concat("<p><b>", escaped(r.verdict), "</b></p>\n");
  s += summary(r);
  s += "<p>Bars: grey before, green after, orange where a layer was left in f32.</p>\n";
  auto one = [](const std::optional<double>& v) { return std::pair(-1.0, v.value_or(0)); };
  const Chart charts[] = {
      {"Accuracy lost by a layer alone", "cosine distance", true, [&](const LayerReport& l) { return one(l.error); }},
      {"Right answers lost by a layer alone", "points", false,
       [&](const LayerReport& l) { return std::pair(-1.0, std::max(0.0, l.drop.value_or(0) * 100)); }},
      {"Size of weights", "kB", true,
       [](const LayerReport& l) {
         return std::pair(static_cast<double>(l.bytes_before) / 1e3, static_cast<double>(l.bytes_after) / 1e3);
       }},
      {"Time", "us", true,
       [](const LayerReport& l) { return std::pair(l.us_before.value_or(-1), l.us_after.value_or(0)); }},
  };
  for (const Chart& c : charts) s += chart_svg(c, r.layers);
  return s + table(r) + "</body></html>\n";
}

Status write_report(const std::string& path, const QuantizeReport& r, const std::string& model,
                    const std::string& output) {
  MOTE_ASSIGN(FileWriter file, FileWriter::create(path));
  MOTE_TRY(file.write(path.ends_with(".json") ? report_json(r).dump(2) + "\n" : report_html(r, model, output)));
  return file.commit();
}

}  // namespace mote::cli

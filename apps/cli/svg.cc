#include "svg.h"

#include <algorithm>

#include "base/text.h"
#include "cli.h"

namespace mote::cli {
namespace {

constexpr double kWidth = 1200, kHeight = 640, kLeft = 90, kTop = 50, kRight = 20, kBottom = 50;

// A hue that stays the same for a name.
int hue(std::string_view name) {
  unsigned h = 2166136261u;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return static_cast<int>(h % 360);
}

std::string text(double x, double y, const char* anchor, int size, std::string_view what) {
  return concat("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor, "\" font-size=\"", size,
                "\">", escaped(what), "</text>\n");
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return concat("<line x1=\"", fixed(x1, 1), "\" y1=\"", fixed(y1, 1), "\" x2=\"", fixed(x2, 1), "\" y2=\"",
                fixed(y2, 1), "\" ", style, "/>\n");
}

}  // namespace

std::string escaped(std::string_view s) {
  std::string out;
  for (char c : clean_text(s, 200)) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string memory_svg(const PlanInfo& plan, const std::string& title) {
  int steps = 1;
  for (const MemoryBlock& b : plan.memory) steps = std::max(steps, b.last + 1);
  std::int64_t bytes = std::max<std::int64_t>(plan.arena_bytes, 1);
  double w = (kWidth - kLeft - kRight) / steps, h = (kHeight - kTop - kBottom) / static_cast<double>(bytes);
  double floor = kHeight - kBottom;
  std::string s =
      concat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", fixed(kWidth, 0), " ", fixed(kHeight, 0),
             "\" font-family=\"sans-serif\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
  std::string assumed;
  for (const auto& [name, value] : plan.assumed) assumed += concat(", ", name, " = ", value);
  s += text(kLeft, 28, "start", 16,
            concat(title, ": arena of ", grouped(plan.arena_bytes), " bytes, ", plan.target, assumed));
  for (int i = 0; i <= 4; ++i) {
    double y = floor - (floor - kTop) * i / 4;
    s += line(kLeft, y, kWidth - kRight, y, "stroke=\"#ccc\" stroke-width=\"0.5\"");
    s += text(kLeft - 6, y + 4, "end", 11, human_bytes(plan.arena_bytes * i / 4));
  }
  int every = std::max(1, steps / 12);
  for (int i = 0; i < steps; i += every) s += text(kLeft + (i + 0.5) * w, floor + 16, "middle", 11, std::to_string(i));
  s += text((kLeft + kWidth - kRight) / 2, floor + 36, "middle", 12, "step");
  for (const MemoryBlock& b : plan.memory) {
    double x = kLeft + b.first * w, width = (b.last - b.first + 1) * w;
    double height = static_cast<double>(b.bytes) * h, y = floor - static_cast<double>(b.offset) * h - height;
    s += concat("<g><title>", escaped(b.name), ": ", grouped(b.bytes), " bytes at ", grouped(b.offset), ", steps ",
                b.first, " to ", b.last, "</title><rect x=\"", fixed(x, 2), "\" y=\"", fixed(y, 2), "\" width=\"",
                fixed(width, 2), "\" height=\"", fixed(std::max(height, 0.5), 2), "\" fill=\"hsl(", hue(b.name),
                ",60%,72%)\" fill-opacity=\"0.85\" stroke=\"#444\" stroke-width=\"0.4\"/></g>\n");
    if (height > 12 && width > 8.0 * static_cast<double>(std::min<std::size_t>(b.name.size(), 12))) {
      std::string name = b.name.size() * 6.0 > width ? b.name.substr(0, static_cast<std::size_t>(width / 6.5)) : b.name;
      s += text(x + 3, y + 11, "start", 10, name);
    }
  }
  return s + "</svg>\n";
}

}  // namespace mote::cli

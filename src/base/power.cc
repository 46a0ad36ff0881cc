#include "base/power.h"

#include "base/system_files.h"
#include "base/text.h"

namespace mote {
namespace {

constexpr int kMost = 64;  // zones, sensors

std::optional<std::uint64_t> read_number(const std::string& path) {
  const std::string text = read_system_file(path);
  const auto v = parse_int(trim(text));
  if (!v || *v < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*v);
}

}  // namespace

PowerMeter PowerMeter::find(const std::string& root) {
  PowerMeter m;
  std::string names, refused;
  for (int i = 0; i < kMost; ++i) {
    const std::string zone = concat(root, "/sys/class/powercap/intel-rapl:", i);
    const std::string text = read_system_file(zone + "/name"), name(trim(text));
    if (!name.starts_with("package")) continue;
    if (!read_number(zone + "/energy_uj")) {
      refused = name;
      continue;
    }
    m.counters_.push_back({zone + "/energy_uj", read_number(zone + "/max_energy_range_uj").value_or(0), 0});
    names += (names.empty() ? "" : ", ") + name;
  }
  if (m.present()) {
    m.source_ = "RAPL: " + names;
    return m;
  }
  if (!refused.empty()) m.source_ = "no reading: RAPL of " + refused + " may be read by root alone";
  for (int i = 0; i < kMost; ++i) {
    const std::string folder = concat(root, "/sys/class/hwmon/hwmon", i);
    const std::string text = read_system_file(folder + "/name"), name(trim(text));
    if (!name.starts_with("ina2") && name != "ina3221") continue;
    m.sensor_ = folder;
    if (m.sensor_watts()) {
      m.source_ = concat(name, " (hwmon", i, ")");
      return m;
    }
    m.sensor_.clear();
  }
  return m;
}

// The power that the driver computes, else the product of its voltage and current.
std::optional<double> PowerMeter::sensor_watts() const {
  if (const auto microwatts = read_number(sensor_ + "/power1_input")) return static_cast<double>(*microwatts) * 1e-6;
  const auto millivolts = read_number(sensor_ + "/in1_input"), milliamperes = read_number(sensor_ + "/curr1_input");
  if (!millivolts || !milliamperes) return std::nullopt;
  return static_cast<double>(*millivolts) * static_cast<double>(*milliamperes) * 1e-6;
}

void PowerMeter::start(double seconds) {
  joules_ = 0;
  seconds_ = seconds;
  good_ = present();
  for (Counter& c : counters_) {
    const auto now = read_number(c.path);
    good_ = good_ && now.has_value();
    c.last = now.value_or(0);
  }
  if (sensor_.empty()) return;
  const auto watts = sensor_watts();
  good_ = good_ && watts.has_value();
  watts_ = watts.value_or(0);
}

void PowerMeter::sample(double seconds) {
  if (!good_) return;
  for (Counter& c : counters_) {
    const auto now = read_number(c.path);
    // A counter that turned over starts at 0 behind its range.
    good_ = good_ && now && (*now >= c.last || c.range >= c.last);
    if (!good_) return;
    const std::uint64_t used = *now >= c.last ? *now - c.last : c.range - c.last + *now;
    joules_ += static_cast<double>(used) * 1e-6;
    c.last = *now;
  }
  if (!sensor_.empty()) {
    const auto watts = sensor_watts();
    good_ = watts.has_value();
    if (!good_) return;
    joules_ += (watts_ + *watts) / 2 * (seconds - seconds_);
    watts_ = *watts;
  }
  seconds_ = seconds;
}

}  // namespace mote

// The energy that the machine uses, where it tells: the package counters of RAPL (/sys/class/powercap) or a current
// sensor of the INA2xx family (/sys/class/hwmon), which is read again and again and integrated over time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mote {

class PowerMeter {
 public:
  // Looks below `root`, which stands before "/sys": "" is this machine.
  static PowerMeter find(const std::string& root = {});

  bool present() const { return !counters_.empty() || !sensor_.empty(); }
  // "RAPL: package-0, package-1", "ina219 (hwmon2)", or why there is no reading.
  const std::string& source() const { return source_; }

  // Begins at a time in seconds of any clock, and goes on to a later one. Between calls a counter must not turn over
  // twice, which takes minutes; what a sensor shows is taken for the mean of both ends.
  void start(double seconds);
  void sample(double seconds);
  // Since start(); nothing where there is no reading, or one failed.
  std::optional<double> joules() const { return present() && good_ ? std::optional(joules_) : std::nullopt; }

 private:
  struct Counter {
    std::string path;
    std::uint64_t range = 0, last = 0;  // microjoules
  };
  std::optional<double> sensor_watts() const;

  std::vector<Counter> counters_;
  std::string sensor_;  // the folder of a sensor
  std::string source_ = "no reading: neither RAPL (/sys/class/powercap) nor an INA219 (/sys/class/hwmon)";
  double joules_ = 0, seconds_ = 0, watts_ = 0;
  bool good_ = false;
};

}  // namespace mote

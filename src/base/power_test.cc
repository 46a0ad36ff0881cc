#include "base/power.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace mote {
namespace {

// A machine's /sys in a folder of its own.
class Power : public testing::Test {
 protected:
  Power() : root_(testing::TempDir() + "mote_power_" + std::to_string(::getpid())) {}
  ~Power() override { std::filesystem::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + "/sys/class/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  std::string root_;
};

TEST_F(Power, AbsentSaysSo) {
  PowerMeter m = PowerMeter::find(root_);
  EXPECT_FALSE(m.present());
  EXPECT_NE(m.source().find("no reading"), std::string::npos);
  m.start(0);
  m.sample(1);
  EXPECT_FALSE(m.joules().has_value());
}

TEST_F(Power, AddsPackagesAndTurnsOver) {
  put("powercap/intel-rapl:0/name", "package-0");
  put("powercap/intel-rapl:0/energy_uj", "1000000");
  put("powercap/intel-rapl:0/max_energy_range_uj", "5000000");
  put("powercap/intel-rapl:1/name", "psys");
  put("powercap/intel-rapl:1/energy_uj", "0");
  put("powercap/intel-rapl:2/name", "package-1");
  put("powercap/intel-rapl:2/energy_uj", "4000000");
  put("powercap/intel-rapl:2/max_energy_range_uj", "5000000");
  PowerMeter m = PowerMeter::find(root_);
  EXPECT_EQ(m.source(), "RAPL: package-0, package-1");
  m.start(0);
  put("powercap/intel-rapl:0/energy_uj", "1500000");
  put("powercap/intel-rapl:2/energy_uj", "250000");
  m.sample(1);
  EXPECT_DOUBLE_EQ(*m.joules(), 0.5 + 1.25);
  put("powercap/intel-rapl:2/energy_uj", "broken");
  m.sample(2);
  EXPECT_FALSE(m.joules().has_value());
}

TEST_F(Power, IntegratesASensor) {
  put("hwmon/hwmon0/name", "cpu_thermal");
  put("hwmon/hwmon2/name", "ina219");
  put("hwmon/hwmon2/in1_input", "5000");
  put("hwmon/hwmon2/curr1_input", "400");
  PowerMeter m = PowerMeter::find(root_);
  EXPECT_EQ(m.source(), "ina219 (hwmon2)");
  m.start(10);
  m.sample(11);
  EXPECT_DOUBLE_EQ(*m.joules(), 2.0);
  put("hwmon/hwmon2/power1_input", "4000000");
  m.sample(11.5);
  EXPECT_DOUBLE_EQ(*m.joules(), 2.0 + 1.5);
}

TEST_F(Power, CountersThatAreClosedAreNamed) {
  put("powercap/intel-rapl:0/name", "package-0");
  EXPECT_EQ(PowerMeter::find(root_).source(), "no reading: RAPL of package-0 may be read by root alone");
}

}  // namespace
}  // namespace mote

// The report of a quantization, as JSON and as one HTML file with its pictures inside.
#pragma once

#include "cli.h"
#include "mote/quantize.h"

namespace mote::cli {

Json report_json(const QuantizeReport& report);
std::string report_html(const QuantizeReport& report, const std::string& model, const std::string& output);

// Writes the file, whole or not at all.
Status write_report(const std::string& path, const QuantizeReport& report, const std::string& model,
                    const std::string& output);

}  // namespace mote::cli

// An encoder of Wan 2.1 at its official size: how long its file takes to open, what one use costs.
//
//   encoder_bench t5|clip FILE [--tokens 20] [--length 512] [--height 480] [--width 832] [--dtype bf16|fp32]
//                 [--threads 2] [--repeats 1]
//
// Prints one line of JSON. Memory is told apart: `anonymous` pages are the process's own, `file`
// pages belong to the mapped weights and are given back by the system when others need them.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include "svi/core/random.hpp"
#include "svi/encoder/clip_vision.hpp"
#include "svi/encoder/umt5.hpp"
#include "svi/io/weight_files.hpp"

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// A line of /proc/self/status, in bytes.
long long status(const std::string& key) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

/// The most anonymous memory of the process while it lives: the system keeps no such mark.
class AnonymousPeak {
 public:
  AnonymousPeak() : watcher_([this] { watch(); }) {}
  ~AnonymousPeak() {
    done_ = true;
    watcher_.join();
  }
  long long bytes() const { return peak_; }

 private:
  void watch() {
    while (!done_) {
      peak_ = std::max<long long>(peak_, status("RssAnon"));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  std::atomic<bool> done_ = false;
  std::atomic<long long> peak_ = 0;
  std::thread watcher_;
};

struct Options {
  std::map<std::string, std::string> given;
  std::string text(const std::string& key, const std::string& otherwise) const {
    const auto found = given.find("--" + key);
    return found == given.end() ? otherwise : found->second;
  }
  std::int64_t number(const std::string& key, const std::string& otherwise) const {
    return std::stoll(text(key, otherwise));
  }
};

/// Opens the encoder and returns one use of it.
std::function<at::Tensor()> open(const std::string& kind, const std::string& file,
                                 const Options& options, at::ScalarType dtype) {
  const auto weights = svi::open_weights(file);
  if (kind == "t5") {
    const auto encoder =
        std::make_shared<svi::Umt5Encoder>(svi::Umt5Encoder::infer(weights));
    encoder->adopt(weights, file);
    encoder->compute(at::kCPU, dtype);
    const auto tokens = options.number("tokens", "20"), length = options.number("length", "512");
    auto ids = at::zeros({1, length}, at::kLong);
    ids.narrow(1, 0, tokens).copy_((at::arange(tokens, at::kLong) * 7919 + 11)
                                       .remainder(encoder->config().vocabulary)
                                       .unsqueeze(0));
    return [=] { return encoder->encode(ids, at::full({1}, tokens, at::kLong)); };
  }
  const auto tower = std::make_shared<svi::ClipVision>(svi::ClipVision::infer(weights));
  tower->adopt(weights, file);
  tower->compute(at::kCPU, dtype);
  auto frame =
      at::empty({1, 3, options.number("height", "480"), options.number("width", "832")}, at::kFloat);
  svi::fill_normal({1, svi::Purpose::test, 0, 0}, frame.mutable_data_ptr<float>(), frame.numel());
  frame.clamp_(-1, 1);
  return [=] { return tower->encode(frame); };
}

int run(int argc, char** argv) {
  const std::string kind = argc > 2 ? argv[1] : "";
  if ((kind != "t5" && kind != "clip") || argc % 2 != 1) {
    std::cerr << "usage: encoder_bench t5|clip FILE [--tokens N] [--length L] [--height H] "
                 "[--width W] [--dtype bf16|fp32] [--threads N] [--repeats N]\n";
    return 2;
  }
  Options options;
  for (int i = 3; i + 1 < argc; i += 2) options.given[argv[i]] = argv[i + 1];
  at::set_num_threads(static_cast<int>(options.number("threads", "2")));
  const auto dtype = options.text("dtype", "bf16") == "bf16" ? at::kBFloat16 : at::kFloat;

  const AnonymousPeak anonymous;
  const auto start = wall_seconds();
  const auto use = open(kind, argv[2], options, dtype);
  const auto opened = wall_seconds() - start;
  const auto anonymous_opened = status("RssAnon"), file_opened = status("RssFile");
  std::string seconds, cpu;
  at::Tensor result;
  for (std::int64_t i = 0; i < options.number("repeats", "1"); ++i) {
    const auto wall_before = wall_seconds(), cpu_before = cpu_seconds();
    result = use();
    const auto* separator = i == 0 ? "" : ", ";
    seconds += separator + std::to_string(wall_seconds() - wall_before);
    cpu += separator + std::to_string(cpu_seconds() - cpu_before);
  }
  const auto rms = result.to(at::kFloat).square().mean().sqrt().item<double>();
  std::printf(
      "{\"encoder\": \"%s\", \"dtype\": \"%s\", \"open_seconds\": %.4f, \"use_seconds\": [%s], "
      "\"use_cpu_seconds\": [%s], \"opened_anonymous_bytes\": %lld, \"opened_file_bytes\": %lld, "
      "\"peak_anonymous_bytes\": %lld, \"peak_bytes\": %lld, \"output_rms\": %.5f}\n",
      kind.c_str(), dtype == at::kBFloat16 ? "bf16" : "fp32", opened, seconds.c_str(), cpu.c_str(),
      anonymous_opened, file_opened, anonymous.bytes(), status("VmHWM"), rms);
  return std::isfinite(rms) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}

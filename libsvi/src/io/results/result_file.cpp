#include "svi/io/result_file.hpp"

#include <ATen/ATen.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/disk_room.hpp"
#include "result_part.hpp"
#include "svi/core/abi.hpp"
#include "svi/core/check.hpp"
#include "svi/io/atomic_file.hpp"
#include "svi/parallel/environment.hpp"

namespace svi {

namespace {

using nlohmann::json;

constexpr const char* kFormat = "1";  // of docs/result-format.md

/// Runs `work` on rank 0 and hands its text to all; an IoError of it is thrown alike on all.
/// Collective.
template <class Work>
std::string on_first(const Communicator& group, const Work& work) {
  std::string told;
  if (group.rank() == 0) {
    try {
      told = "+" + work();
    } catch (const Error& error) {
      told = std::string("-") + error.what();
    }
  }
  told = group.broadcast(told);
  if (told.front() == '-') throw IoError(told.substr(1));
  return told.substr(1);
}

json to_json(const Attributes& attributes) {
  json result = json::object();
  for (const auto& [name, value] : attributes) {
    // Numbers that JSON does not know (NaN) travel as their bits.
    const auto held = std::visit(
        [](const auto& one) -> json {
          using T = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<T, double>) {
            return std::bit_cast<std::uint64_t>(one);
          } else if constexpr (std::is_same_v<T, std::vector<double>>) {
            json bits = json::array();
            for (const double number : one) bits.push_back(std::bit_cast<std::uint64_t>(number));
            return bits;
          } else {
            return one;
          }
        },
        value);
    result[name] = {{"type", value.index()}, {"value", held}};
  }
  return result;
}

Attributes attributes_of(const json& text) {
  Attributes result;
  for (const auto& [name, item] : text.items()) {
    const auto& value = item.at("value");
    switch (item.at("type").get<int>()) {
      case 0:
        result[name] = value.get<std::string>();
        break;
      case 1:
        result[name] = value.get<std::int64_t>();
        break;
      case 2:
        result[name] = std::bit_cast<double>(value.get<std::uint64_t>());
        break;
      case 3:
        result[name] = value.get<std::vector<std::string>>();
        break;
      case 4:
        result[name] = value.get<std::vector<std::int64_t>>();
        break;
      default: {
        std::vector<double> numbers;
        for (const auto& bits : value)
          numbers.push_back(std::bit_cast<double>(bits.get<std::uint64_t>()));
        result[name] = std::move(numbers);
      }
    }
  }
  return result;
}

json to_json(const std::vector<ResultScale>& scales) {
  json result = json::array();
  for (const auto& scale : scales) {
    Attributes values;
    std::visit([&](const auto& held) { values["values"] = held; }, scale.values);
    result.push_back({{"name", scale.name},
                      {"values", to_json(values)},
                      {"attributes", to_json(scale.attributes)}});
  }
  return result;
}

std::vector<ResultScale> scales_of(const json& text) {
  std::vector<ResultScale> scales;
  for (const auto& item : text) {
    ResultScale scale{item.at("name"), {}, attributes_of(item.at("attributes"))};
    scale_values(attributes_of(item.at("values")).at("values"), scale);
    scales.push_back(std::move(scale));
  }
  return scales;
}

/// Names what to do about a part that cannot be read.
template <class Read>
auto from_part(const Read& read) {
  try {
    return read();
  } catch (const IoError& error) {
    raise<IoError>(error.what(), "; remove that file and go on with --resume: its job runs again");
  }
}

/// Reads what all parts hold, as text for the other ranks.
std::string read_plan(const std::filesystem::path& folder) {
  json plan = json::array();
  for (const auto& job : read_part_names(folder)) {
    json blocks = json::array();
    const auto file = part_path(folder, job).string();
    for (const auto& entry : from_part([&] { return read_entries(file); })) {
      blocks.push_back({{"file", entry.file},
                        {"dataset", entry.dataset},
                        {"path", entry.place.path},
                        {"start", entry.place.start},
                        {"shape", entry.place.shape},
                        {"dimensions", entry.place.dimensions},
                        {"attributes", to_json(entry.place.attributes)},
                        {"scales", to_json(entry.place.scales)},
                        {"dtype", static_cast<int>(entry.dtype)}});
    }
    plan.push_back(std::move(blocks));
  }
  return plan.dump();
}

/// Blocks by part.
std::vector<std::vector<PartEntry>> parse_plan(const std::string& text) {
  std::vector<std::vector<PartEntry>> parts;
  for (const auto& blocks : json::parse(text)) {
    auto& part = parts.emplace_back();
    for (const auto& block : blocks) {
      part.push_back(
          {block.at("file"),
           block.at("dataset"),
           {block.at("path"), block.at("start"), block.at("shape"), block.at("dimensions"),
            attributes_of(block.at("attributes")), scales_of(block.at("scales"))},
           static_cast<c10::ScalarType>(block.at("dtype").get<int>())});
    }
  }
  return parts;
}

/// One entry per dataset of the result; throws IoError if parts disagree about it.
std::map<std::string, PartEntry> datasets_of(const std::vector<std::vector<PartEntry>>& parts) {
  std::map<std::string, PartEntry> datasets;
  for (const auto& part : parts) {
    for (const auto& entry : part) {
      const auto& first = datasets.emplace(entry.place.path, entry).first->second;
      if (first.place.shape != entry.place.shape ||
          first.place.dimensions != entry.place.dimensions || first.dtype != entry.dtype) {
        raise<IoError>(entry.file, ": ", entry.place.path, " is ", entry.dtype, " ",
                       at::IntArrayRef(entry.place.shape), " but ", first.dtype, " ",
                       at::IntArrayRef(first.place.shape), " in ", first.file,
                       "; the parts are of different runs: remove the older ones");
      }
    }
  }
  return datasets;
}

void put_scale(Hdf5File& file, const std::string& path, const ResultScale& scale) {
  std::visit(
      [&](const auto& values) {
        using T = std::decay_t<decltype(values)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          file.put_strings(path, values);
        } else {
          file.put(path, at::tensor(values));
        }
      },
      scale.values);
  file.set_attributes(path, scale.attributes);
  file.make_scale(path, scale.name);
}

void put_header(Hdf5File& file, const ResultHeader& header) {
  file.set_attributes("/", {{"name", header.name}, {"svi_version", kVersion}, {"format", kFormat}});
  file.set_attributes("/", header.attributes);
  for (const auto& [name, text] : header.texts) file.put_text("/" + name, text);
  file.create_group("/provenance");
  file.set_attributes("/provenance", header.provenance);
  for (const auto& scale : header.scales) put_scale(file, "/" + scale.name, scale);
}

/// Puts the datasets' own scales beside them; throws IoError if datasets or parts disagree.
void put_own_scales(Hdf5File& file, const std::vector<std::vector<PartEntry>>& parts) {
  std::map<std::string, ResultScale> scales;  // by path
  for (const auto& part : parts) {
    for (const auto& entry : part) {
      const auto group = entry.place.path.substr(0, entry.place.path.rfind('/'));
      for (const auto& scale : entry.place.scales) {
        const auto path = group + "/" + scale.name;
        const auto [found, fresh] = scales.emplace(path, scale);
        if (found->second.values != scale.values) {
          raise<IoError>(entry.file, ": ", entry.place.path, " has other values along ", scale.name,
                         " than another part; they are of different runs: remove the older ones");
        }
        if (fresh) put_scale(file, path, scale);
      }
    }
  }
}

/// What write_result_header wrote.
ResultHeader read_header(const std::filesystem::path& folder) {
  const auto file = Hdf5File::open((folder / "header.h5").string());
  ResultHeader header;
  header.attributes = file.attributes("/");
  header.name = std::get<std::string>(header.attributes.at("name"));
  header.provenance = file.attributes("/provenance");
  for (const auto& name : file.children("/")) {
    const auto path = "/" + name;
    if (name == "provenance") continue;
    auto attributes = file.attributes(path);
    if (attributes.count("CLASS") == 0) {
      header.texts[name] = file.text(path);
      continue;
    }
    attributes.erase("CLASS");
    attributes.erase("NAME");
    ResultScale scale{name, {}, attributes};
    if (file.holds_text(path)) {
      scale.values = file.strings(path);
    } else {
      const auto values = file.read(path);
      if (values.scalar_type() == at::kLong) {
        const auto* data = values.const_data_ptr<std::int64_t>();
        scale.values = std::vector<std::int64_t>(data, data + values.numel());
      } else {
        const auto* data = values.const_data_ptr<double>();
        scale.values = std::vector<double>(data, data + values.numel());
      }
    }
    header.scales.push_back(std::move(scale));
  }
  return header;
}

void make_datasets(Hdf5File& file, const std::map<std::string, PartEntry>& datasets,
                   const ResultHeader& header) {
  for (const auto& [path, entry] : datasets) {
    file.create_dataset(path, entry.place.shape, entry.dtype);
    file.set_attributes(path, entry.place.attributes);
    for (std::size_t i = 0; i < entry.place.dimensions.size(); ++i) {
      const auto& name = entry.place.dimensions[i];
      const auto has = [&](const std::vector<ResultScale>& scales) {
        return std::any_of(scales.begin(), scales.end(),
                           [&](const ResultScale& scale) { return scale.name == name; });
      };
      std::string scale;
      if (has(header.scales)) scale = "/" + name;
      if (has(entry.place.scales)) scale = path.substr(0, path.rfind('/')) + "/" + name;
      if (!scale.empty() && file.shape(scale).front() != entry.place.shape[i]) {
        raise<IoError>(entry.file, ": dimension ", name, " of ", path, " has ",
                       entry.place.shape[i], " places, the scale ", scale, " has ",
                       file.shape(scale).front());
      }
      file.label_dimension(path, static_cast<int>(i), name, scale);
    }
  }
}

std::int64_t bytes_of(const std::map<std::string, PartEntry>& datasets) {
  std::int64_t bytes = 0;
  for (const auto& [path, entry] : datasets) {
    bytes += c10::multiply_integers(entry.place.shape) *
             static_cast<std::int64_t>(c10::elementSize(entry.dtype));
  }
  return bytes;
}

/// Does what all ranks must do alike in one parallel file. Where it fails on a rank, perhaps on
/// that one alone, all end here: closing the file would wait for the others for ever. The file must
/// therefore outlive `work`.
template <class Work>
auto together(const Communicator& group, const char* doing, const Work& work) {
  try {
    return work();
  } catch (const std::exception& error) {
    if (group.size() == 1) throw;
    std::cerr << cat("rank ", group.rank(), ", ", doing, ": ", error.what(), "\n") << std::flush;
    Environment::abort(2);
  }
}

/// Throws alike on all ranks what `work` throws on some: no rank may be left in a collective call
/// of it. Collective.
template <class Work>
void alike(const Communicator& group, const std::string& about, const Work& work) {
  std::string problem;
  try {
    work();
  } catch (const Error& error) {
    problem = error.what();
  }
  for (const auto& text : group.all_gather(problem)) {
    if (!text.empty()) throw IoError(about + text);
  }
}

}  // namespace

void probe_results(const std::filesystem::path& folder, const Communicator& group) {
  std::unique_ptr<AtomicFile> owner;  // of rank 0; removes the file
  const auto path = on_first(group, [&] {
    owner = std::make_unique<AtomicFile>(folder / "probe.h5");
    return owner->temporary().string();
  });
  const auto values = at::arange(16, at::kDouble);
  const auto about = folder.string() + ": HDF5 cannot keep results there: ";
  std::optional<Hdf5File> file;
  alike(group, about, [&] { file = Hdf5File::create(path, group); });
  const auto fill = [&] {
    file->put("/probe", values);
    file->close();
  };
  // Of several ranks, one that fails leaves the others within the library.
  if (group.size() > 1) {
    together(group, "trying HDF5", fill);
  } else {
    alike(group, about, fill);
  }
  alike(group, about, [&] {
    if (group.rank() == 0 && !Hdf5File::open(path).read("/probe").equal(values))
      raise<IoError>(path, ": what was written is not what is read");
  });
}

void write_result_header(const std::filesystem::path& folder, const ResultHeader& header) {
  AtomicFile target(folder / "header.h5");
  auto file = Hdf5File::create(target.temporary().string());
  put_header(file, header);
  file.close();
  target.commit();
}

void merge_parts(const std::filesystem::path& folder, const std::filesystem::path& target,
                 const Communicator& group) {
  const auto parts = parse_plan(on_first(group, [&] { return read_plan(folder); }));
  const auto datasets = datasets_of(parts);
  std::unique_ptr<AtomicFile> result;  // of rank 0
  const auto temporary = on_first(group, [&] {
    if (!std::filesystem::exists(folder / "header.h5"))
      raise<IoError>(folder.string(), " has no header.h5");
    check_room(target, bytes_of(datasets));
    result = std::make_unique<AtomicFile>(target);
    return result->temporary().string();
  });
  const auto header = read_header(folder);
  constexpr const char* kMerging = "merging";
  auto file = together(group, kMerging, [&] { return Hdf5File::create(temporary, group); });
  together(group, kMerging, [&] {
    put_header(file, header);
    put_own_scales(file, parts);
    make_datasets(file, datasets, header);
  });
  alike(group, "", [&] {
    const auto size = static_cast<std::size_t>(group.size());
    for (auto part = static_cast<std::size_t>(group.rank()); part < parts.size(); part += size) {
      for (const auto& entry : parts[part]) {
        const auto block =
            from_part([&] { return Hdf5File::open(entry.file).read(entry.dataset); });
        together(group, kMerging, [&] { file.write(entry.place.path, block, entry.place.start); });
      }
    }
  });
  together(group, kMerging, [&] { file.close(); });
  on_first(group, [&] {
    result->commit();
    return std::string();
  });
}

}  // namespace svi

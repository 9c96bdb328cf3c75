#include "svi/encoder/tokenizer.hpp"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"

namespace svi {

struct Tokenizer::Content {
  sentencepiece::SentencePieceProcessor model;
  std::string hash;
};

namespace {

std::filesystem::path find_model(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return path;
  for (const char* place :
       {"google/umt5-xxl/spiece.model", "tokenizer/spiece.model", "spiece.model"}) {
    if (std::filesystem::is_regular_file(path / place, error)) return path / place;
  }
  raise<IoError>(path.string(),
                 ": no tokenizer here; expected google/umt5-xxl/spiece.model, "
                 "tokenizer/spiece.model or spiece.model");
}

std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.is_open() || in.bad()) raise<IoError>(path.string(), ": cannot be read");
  return bytes;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::open(const std::filesystem::path& path) {
  const auto file = find_model(path);
  const auto bytes = read_bytes(file);
  auto content = std::make_unique<Content>();
  content->hash = sha256_hex(bytes);
  const auto status = content->model.LoadFromSerializedProto(bytes);
  if (!status.ok()) {
    raise<IoError>(file.string(), ": not a SentencePiece model, or damaged (", status.ToString(),
                   ")");
  }
  const auto& model = content->model;
  if (model.eos_id() < 0 || model.IdToPiece(kPadding) != "<pad>") {
    raise<IoError>(file.string(), ": not umT5's tokenizer: it has no end symbol, or piece 0 is '",
                   model.IdToPiece(kPadding), "' instead of <pad>");
  }
  return Tokenizer(std::move(content));
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text, std::int64_t length) const {
  SVI_CHECK(length >= 1, "a text needs room for its end symbol, not ", length, " ids");
  std::vector<int> pieces;
  const auto status = content_->model.Encode(absl::string_view(text.data(), text.size()), &pieces);
  SVI_CHECK(status.ok(), "SentencePiece: ", status.ToString());
  // One unknown symbol for each run of characters without a piece, not their bytes.
  const auto& model = content_->model;
  for (auto& piece : pieces) piece = model.IsByte(piece) ? model.unk_id() : piece;
  pieces.erase(std::unique(pieces.begin(), pieces.end(),
                           [&](int a, int b) { return a == b && a == model.unk_id(); }),
               pieces.end());
  const auto kept = std::min(pieces.size(), static_cast<std::size_t>(length - 1));
  std::vector<std::int64_t> ids(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(kept));
  ids.push_back(model.eos_id());
  return ids;
}

std::size_t Tokenizer::bytes_read(std::string_view text, std::int64_t length) const {
  const auto& model = content_->model;
  const auto encoded = model.EncodeAsImmutableProto(absl::string_view(text.data(), text.size()));
  std::int64_t ids = 0;
  int last = -1;
  for (const auto& piece : encoded.pieces()) {
    const int id =
        model.IsByte(static_cast<int>(piece.id())) ? model.unk_id() : static_cast<int>(piece.id());
    const bool joined = id == last && id == model.unk_id();  // as encode() does
    last = id;
    if (!joined && ++ids > length - 1) return piece.begin();
  }
  return text.size();
}

std::int64_t Tokenizer::size() const { return content_->model.GetPieceSize(); }
std::int64_t Tokenizer::end_id() const { return content_->model.eos_id(); }
const std::string& Tokenizer::hash() const { return content_->hash; }

}  // namespace svi

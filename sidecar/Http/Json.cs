using System.Text.Encodings.Web;
using System.Text.Json;

namespace DaprPlatform.Sidecar.Http;

/// <summary>JSON as the API reads and writes it: camelCase, names in any case, nothing escaped that need not be.</summary>
internal static class Json
{
    public static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}

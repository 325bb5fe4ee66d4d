using System.Net.Http.Headers;
using System.Text;

namespace DaprPlatform.Daprd;

/// <summary><c>daprd config-set HTTP_PORT COMPONENT KEY VALUE [VERSION]</c>: sets an item of a configuration store that is stood in for, through a running sidecar.</summary>
internal static class ConfigSet
{
    /// <returns>0 when the item is set, 1 when the sidecar refuses or does not answer, 2 for wrong arguments.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> arguments)
    {
        if (arguments.Count is < 4 or > 5 || !int.TryParse(arguments[0], out var port))
        {
            await Console.Error.WriteLineAsync("usage: daprd config-set HTTP_PORT COMPONENT KEY VALUE [VERSION]").ConfigureAwait(false);
            return 2;
        }

        var version = arguments.Count > 4 ? arguments[4] : "1";
        var address = $"http://127.0.0.1:{port}/platform/configuration/{Uri.EscapeDataString(arguments[1])}/{Uri.EscapeDataString(arguments[2])}?version={Uri.EscapeDataString(version)}";
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Put, address) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(arguments[3])) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("text/plain");
        if (Environment.GetEnvironmentVariable("DAPR_API_TOKEN") is { Length: > 0 } token)
            request.Headers.Add("dapr-api-token", token);
        try
        {
            using var response = await client.SendAsync(request).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
                return 0;
            await Console.Error.WriteLineAsync($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync().ConfigureAwait(false)}").ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            await Console.Error.WriteLineAsync(e.Message).ConfigureAwait(false);
        }

        return 1;
    }
}

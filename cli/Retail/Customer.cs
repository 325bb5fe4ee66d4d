using System.Net;
using System.Text.Json.Nodes;

namespace DaprPlatform.Cli.Retail;

/// <summary>A signed-in user of the gateway; signs in again when the token has run out.</summary>
internal sealed class Customer(GatewayClient gateway, string email, string password) : IDisposable
{
    private readonly SemaphoreSlim _signingIn = new(1, 1);
    private string? _token;

    /// <summary>The customer of the data with this number; registered when new.</summary>
    public static Customer OfNumber(GatewayClient gateway, string number) => new(gateway, $"customer-{number}@retail.example", $"Retail-{number}-customer");

    /// <exception cref="CommandException">The gateway refuses.</exception>
    public async Task RegisterAsync(string lastName, CancellationToken cancel)
    {
        var answer = await gateway.SendAsync(HttpMethod.Post, "api/v1/auth/register",
            new JsonObject { ["email"] = email, ["password"] = password, ["firstName"] = "Customer", ["lastName"] = lastName }, cancel);
        if (answer.Succeeded)
            _token = (string?)answer.Data?["accessToken"];
        else if (answer.Status == HttpStatusCode.Conflict)
            await SignInAsync(null, cancel);
        else
            throw new CommandException($"{email} cannot be registered: {answer}");
    }

    public async Task<GatewayAnswer> SendAsync(HttpMethod method, string path, JsonNode? body, CancellationToken cancel, params (string Name, string Value)[] headers)
    {
        var token = _token ?? await SignInAsync(null, cancel);
        var answer = await gateway.SendAsync(method, path, body, cancel, token, headers);
        return answer.Status == HttpStatusCode.Unauthorized
            ? await gateway.SendAsync(method, path, body, cancel, await SignInAsync(token, cancel), headers)
            : answer;
    }

    public void Dispose() => _signingIn.Dispose();

    /// <param name="expired">The token that was refused; another one that somebody got meanwhile is taken.</param>
    private async Task<string> SignInAsync(string? expired, CancellationToken cancel)
    {
        await _signingIn.WaitAsync(cancel);
        try
        {
            if (_token is { } current && current != expired)
                return current;
            var answer = await gateway.SendAsync(HttpMethod.Post, "api/v1/auth/login", new JsonObject { ["email"] = email, ["password"] = password }, cancel);
            if (!answer.Succeeded)
                throw new CommandException($"{email} cannot sign in: {answer}");
            return _token = (string?)answer.Data?["accessToken"] ?? throw new CommandException($"The gateway's answer to the sign-in of {email} has no accessToken.");
        }
        finally
        {
            _signingIn.Release();
        }
    }
}

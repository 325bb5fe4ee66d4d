namespace Dapr.Common;

internal static class Endpoints
{
    internal static Uri Parse(string endpoint, string protocol)
    {
        var uri = new Uri(endpoint);
        if (uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps)
            throw new InvalidOperationException($"The {protocol} endpoint must use http or https.");
        return uri;
    }
}

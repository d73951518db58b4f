export { asyncApiDocument } from './asyncapi.ts';
export { buildPath, type Client, createClient, type Fetch } from './client.ts';
export { type Contract, contract, type RouteId } from './contract.ts';
export { openApiDocument } from './openapi.ts';
export { allItems } from './paging.ts';
export { type Policy, policies, policyRule, type Role, roles } from './policies.ts';
export { rolesDocument } from './roles-document.ts';
export {
  type AnswerOf,
  type BodyInputOf,
  type BodyOf,
  defineRoute,
  isStreamable,
  type JsonOf,
  type Listener,
  type ParamsOf,
  type QueryInputOf,
  type QueryOf,
  type Route,
  type Streamable,
  type TextFormat,
  textFormats,
} from './route.ts';
export { fetchText, type StreamableRouteId, type StreamFetch } from './text-client.ts';
